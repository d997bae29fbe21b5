// @ts-check
import { newIdentifier } from "../identifiers.mjs";
import { houseAccount, playerAccount } from "../ledger/ledger.mjs";

/**
 * @typedef {object} Jackpot
 * @property {string} id
 * @property {string} currency
 * @property {number} potCents
 * @property {string[]} winners player ids
 */

/**
 * Pay a jackpot to its winners in equal shares.
 *
 * The defect: each share is rounded by itself, so the shares of 1000 cents for three players sum to 999.
 *
 * @param {import("../ledger/ledger.mjs").Ledger} ledger
 * @param {Jackpot} jackpot
 * @throws {import("../ledger/ledger.mjs").LedgerImbalance} the pot is not divisible by the number of winners
 */
export function payOutJackpot(ledger, jackpot) {
  const postings = [
    { account: houseAccount(jackpot.currency), cents: -jackpot.potCents },
    ...shares(jackpot),
  ];
  ledger.book(newIdentifier("txn"), postings);
}

/**
 * @param {Jackpot} jackpot
 * @returns {import("../ledger/ledger.mjs").Posting[]}
 */
function shares({ potCents, winners }) {
  const cents = Math.round(potCents / winners.length);
  return winners.map((playerId) => ({ account: playerAccount(playerId), cents }));
}
