// @ts-check
/** Debug endpoints that fail by an error of the service's own making. */
import * as Sentry from "@sentry/node";
import { overrideCents } from "../defects/fee-overrides.mjs";
import { payOutJackpot } from "../defects/jackpot.mjs";
import { settlementAccount } from "../defects/netting.mjs";
import { deliverReceipt } from "../defects/receipts.mjs";
import { newIdentifier } from "../identifiers.mjs";

/**
 * @param {import("../ledger/ledger.mjs").Ledger} ledger
 * @param {import("../defects/payouts.mjs").PayoutProvider} provider
 * @returns {import("./registry.mjs").DebugEndpoint[]}
 */
export function crashEndpoints(ledger, provider) {
  return [
    {
      name: "crash",
      demonstrates: "An invariant of the ledger fails: an error thrown deep in a synchronous handler",
      status: 500,
      group: "crash",
      tags: { currency: "EUR" },
      run({ userId, origin, afterHold }) {
        const jackpot = {
          id: newIdentifier("jkp"),
          currency: "EUR",
          potCents: 1000,
          winners: [userId, "anna", "boris"],
        };
        Sentry.addBreadcrumb({
          category: "wallet.session",
          message: "Wallet opened",
          data: { ...origin, currency: jackpot.currency },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "jackpot.won",
          message: `Jackpot ${jackpot.id} won by ${jackpot.winners.length} players`,
          data: { jackpot_id: jackpot.id, pot_cents: jackpot.potCents },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "ledger.post",
          message: "Posting the winners' shares",
          data: { jackpot_id: jackpot.id, winners: jackpot.winners.length },
          level: "info",
        });
        return afterHold(() => payOutJackpot(ledger, jackpot));
      },
    },
    {
      name: "promise-rejection",
      demonstrates: "A promise that nobody awaits rejects after the answer was given; the process lives on",
      status: 202,
      group: "crash",
      tags: { currency: "EUR" },
      run({ userId, origin, response, afterHold }) {
        const receipt = { id: newIdentifier("rcp"), playerId: userId };
        Sentry.addBreadcrumb({
          category: "wallet.credit",
          message: "Deposit booked",
          data: { ...origin, amount_cents: 2500 },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "receipt.render",
          message: `Receipt ${receipt.id} rendered`,
          data: { receipt_id: receipt.id, format: "pdf" },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "receipt.deliver",
          message: "Delivery handed to the background",
          data: { receipt_id: receipt.id },
          level: "warning",
        });
        void afterHold(() => deliverReceipt(receipt));
        response.status(202).json({ status: "accepted", receipt_id: receipt.id });
      },
    },
    {
      name: "async-error",
      demonstrates: "An awaited payout is refused: an asynchronous handler rejects",
      status: 500,
      group: "crash",
      tags: { currency: "EUR" },
      run({ userId, origin, afterHold }) {
        const payout = { id: newIdentifier("pyo"), playerId: userId, amountCents: 75_000 };
        Sentry.addBreadcrumb({
          category: "payout.request",
          message: `Payout ${payout.id} requested`,
          data: { ...origin, amount_cents: payout.amountCents },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "wallet.reserve",
          message: "Amount reserved in the wallet",
          data: { payout_id: payout.id },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "payout.provider",
          message: "Waiting for the provider's decision",
          data: { payout_id: payout.id, provider: "bank-transfer" },
          level: "info",
        });
        return afterHold(() => provider.request(payout));
      },
    },
    {
      name: "type-error",
      demonstrates: "A property of undefined is read: the fee table has no entry for a currency",
      status: 500,
      group: "crash",
      tags: { currency: "SEK" },
      run({ origin, afterHold }) {
        const payment = { reference: newIdentifier("pay"), currency: "SEK", amountCents: 12_000 };
        Sentry.addBreadcrumb({
          category: "wallet.debit",
          message: `Debit ${payment.reference} accepted`,
          data: { ...origin, amount_cents: payment.amountCents },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "fee.schedule",
          message: "Fee schedule loaded",
          data: { currency: payment.currency },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "fee.override",
          message: "Looking for a negotiated fee",
          data: { reference: payment.reference, currency: payment.currency },
          level: "info",
        });
        return afterHold(() => overrideCents(payment));
      },
    },
    {
      name: "stack-overflow",
      demonstrates: "A recursion without end: two settlement accounts point at each other",
      status: 500,
      group: "crash",
      tags: { currency: "EUR" },
      run({ origin, afterHold }) {
        const runId = newIdentifier("net");
        Sentry.addBreadcrumb({
          category: "wallet.session",
          message: "Wallet opened",
          data: { ...origin, currency: "EUR" },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "netting.start",
          message: `Netting run ${runId} started`,
          data: { run_id: runId },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "netting.follow",
          message: "Following the settlement accounts from acquirer",
          data: { run_id: runId, account: "acquirer" },
          level: "info",
        });
        return afterHold(() => settlementAccount(runId, "acquirer"));
      },
    },
  ];
}
