// @ts-check
/** Double-entry bookkeeping in memory: every transaction moves money between accounts and sums to zero. */

/**
 * @typedef {object} Posting
 * @property {string} account
 * @property {number} cents added to the account; negative takes away
 */

/** A transaction whose postings do not sum to zero: money would appear or vanish. */
export class LedgerImbalance extends Error {
  name = "LedgerImbalance";
}

/** A transaction that would take more from an account than it holds. */
export class InsufficientFunds extends Error {
  name = "InsufficientFunds";

  /**
   * @param {string} message
   * @param {number} balanceCents what the account holds
   */
  constructor(message, balanceCents) {
    super(message);
    this.balanceCents = balanceCents;
  }
}

/** Accounts and what was booked on them. */
export class Ledger {
  /** @type {Map<string, number>} */
  #balances = new Map();

  /**
   * Book a transaction: all of its postings or none.
   *
   * @param {string} transactionId
   * @param {readonly Posting[]} postings each account at most once; houses may be overdrawn, players may not
   * @throws {LedgerImbalance} the postings do not sum to zero
   * @throws {InsufficientFunds} a player's account would be overdrawn
   */
  book(transactionId, postings) {
    assertBalanced(transactionId, postings);
    for (const { account, cents } of postings) {
      const balance = this.balance(account);
      if (balance + cents < 0 && !isHouse(account)) {
        throw new InsufficientFunds(
          `account ${account} holds ${balance} cents, ${-cents} are needed`,
          balance,
        );
      }
    }
    for (const { account, cents } of postings) {
      this.#balances.set(account, this.balance(account) + cents);
    }
  }

  /**
   * @param {string} account
   * @returns {number} its balance in cents; 0 for an account on which nothing was booked
   */
  balance(account) {
    return this.#balances.get(account) ?? 0;
  }

  /**
   * @returns {number} the sum of all balances in cents; 0 as long as the books are right
   */
  total() {
    return [...this.#balances.values()].reduce((sum, balance) => sum + balance, 0);
  }
}

/**
 * @param {string} currency
 * @returns {string} the account that bets go to and wins come from
 */
export function houseAccount(currency) {
  return `house:${currency}`;
}

/**
 * @param {string} playerId
 * @returns {string}
 */
export function playerAccount(playerId) {
  return `player:${playerId}`;
}

/**
 * @param {string} account
 * @returns {boolean}
 */
function isHouse(account) {
  return account.startsWith("house:");
}

/**
 * @param {string} transactionId
 * @param {readonly Posting[]} postings
 */
function assertBalanced(transactionId, postings) {
  const off = postings.reduce((sum, { cents }) => sum + cents, 0);
  if (off !== 0) {
    throw new LedgerImbalance(`postings of transaction ${transactionId} are off by ${off} cents`);
  }
}
