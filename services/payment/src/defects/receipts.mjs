// @ts-check
import { setImmediate as nextTurn } from "node:timers/promises";

/** A receipt that cannot be sent to anybody. */
export class UndeliverableReceipt extends Error {
  name = "UndeliverableReceipt";
}

/** @type {ReadonlyMap<string, string>} mail address by player */
const addresses = new Map([["anna", "anna@players.example"]]);

/**
 * Send a receipt to its player.
 *
 * The defect is the caller's: it does not await this, so nobody hears of a player without an address.
 *
 * @param {{ id: string, playerId: string }} receipt
 * @returns {Promise<string>} the address it was sent to
 * @throws {UndeliverableReceipt} the player has no address
 */
export async function deliverReceipt({ id, playerId }) {
  await nextTurn();
  return addressFor(id, playerId);
}

/**
 * @param {string} receiptId
 * @param {string} playerId
 * @returns {string}
 */
function addressFor(receiptId, playerId) {
  const address = addresses.get(playerId);
  if (address === undefined) {
    throw new UndeliverableReceipt(`receipt ${receiptId} has no address to go to`);
  }
  return address;
}
