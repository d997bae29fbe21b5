// @ts-check
import { setImmediate as nextTurn } from "node:timers/promises";

const DAILY_LIMIT_CENTS = 50_000;

/** A payout that the provider does not make. */
export class PayoutRefused extends Error {
  name = "PayoutRefused";
}

/**
 * @typedef {object} Payout
 * @property {string} id
 * @property {string} playerId
 * @property {number} amountCents
 */

/**
 * Ask the provider to pay a player.
 *
 * The defect: the limit is known, but only the provider looks at it, after the wallet has been debited.
 *
 * @param {Payout} payout
 * @throws {PayoutRefused} the amount is above the provider's daily limit
 */
export async function requestPayout(payout) {
  await nextTurn();
  await decide(payout);
}

/**
 * @param {Payout} payout
 */
async function decide({ id, amountCents }) {
  await nextTurn();
  if (amountCents > DAILY_LIMIT_CENTS) {
    throw new PayoutRefused(
      `payout ${id} of ${amountCents} cents is above the daily limit of ${DAILY_LIMIT_CENTS}`,
    );
  }
}
