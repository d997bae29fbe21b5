// @ts-check
/** Which HTTP status an error is. The same rule decides the answer and whether Sentry gets to hear of it. */
import { InsufficientFunds } from "../ledger/ledger.mjs";
import { InvalidPayment } from "../ledger/payment.mjs";
import { ReferenceConflict } from "../ledger/wallets.mjs";
import { BadRequest } from "./bad-request.mjs";

/**
 * Find the status of whatever was thrown.
 *
 * @param {unknown} error
 * @returns {number} 4xx for what the caller can mend, 503 when a service behind this one is away, else 500
 */
export function statusOf(error) {
  if (error instanceof InsufficientFunds) return 402;
  if (error instanceof ReferenceConflict) return 409;
  if (error instanceof InvalidPayment) return 422;
  if (error instanceof BadRequest) return 400;
  if (!(error instanceof Error)) return 500;
  if ("code" in error && error.code === "ECONNREFUSED") return 503;
  // Express and its body parser mark what the caller did wrong: malformed JSON, a body too large, a bad URL.
  const marked = "status" in error ? Number(error.status) : NaN;
  return marked >= 400 && marked < 500 ? marked : 500;
}
