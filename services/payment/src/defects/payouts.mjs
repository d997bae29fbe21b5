// @ts-check
import { createHmac } from "node:crypto";
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
 * The bank that pays players. It knows by a signature that an order is ours.
 *
 * The defect: the limit is known, but only the bank looks at it, after the wallet has been debited.
 */
export class PayoutProvider {
  // Private to the language: neither JSON nor an inspection of this object shows it, whatever reports the object.
  #apiKey;

  /**
   * @param {string} apiKey the key that the provider has given us; it never leaves this object
   */
  constructor(apiKey) {
    this.#apiKey = apiKey;
  }

  /**
   * Ask the provider to pay a player.
   *
   * @param {Payout} payout
   * @returns {Promise<string>} the signature under which the order was taken
   * @throws {PayoutRefused} the amount is above the provider's daily limit
   */
  async request(payout) {
    const signature = this.#sign(payout);
    await nextTurn();
    await decide(payout);
    return signature;
  }

  /**
   * @param {Payout} payout
   * @returns {string}
   */
  #sign({ id, playerId, amountCents }) {
    return createHmac("sha256", this.#apiKey).update(`${id}\n${playerId}\n${amountCents}`).digest("hex");
  }
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
