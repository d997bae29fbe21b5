// @ts-check
/** The players' wallets, kept as accounts of a ledger. */
import { newIdentifier } from "../identifiers.mjs";
import { Ledger, houseAccount, playerAccount } from "./ledger.mjs";
import { DEFAULT_CURRENCY, InvalidPayment } from "./payment.mjs";

/** @typedef {import("./payment.mjs").Payment} Payment */

/**
 * @typedef {object} Booking
 * @property {string} transactionId
 * @property {number} balanceCents of the wallet after the payment
 * @property {boolean} replayed whether the payment had been booked by an earlier request
 */

/**
 * @typedef {object} WalletState
 * @property {number} balanceCents
 * @property {string} currency
 */

/** A reference that was already used for a different payment. */
export class ReferenceConflict extends Error {
  name = "ReferenceConflict";
}

/** Opens wallets on first use and books payments on them, each reference once. */
export class Wallets {
  #ledger;
  #openingBalanceCents;
  /** @type {Map<string, string>} currency by player */
  #currencies = new Map();
  /** @type {Map<string, { payment: Payment, booking: Booking }>} by reference */
  #booked = new Map();

  /**
   * @param {Ledger} ledger
   * @param {number} openingBalanceCents
   */
  constructor(ledger, openingBalanceCents) {
    this.#ledger = ledger;
    this.#openingBalanceCents = openingBalanceCents;
  }

  /**
   * Book a payment, or give the earlier booking if its reference has been booked.
   *
   * @param {Payment} payment
   * @returns {Booking}
   * @throws {InvalidPayment} the wallet is in another currency
   * @throws {ReferenceConflict} the reference belongs to a different payment
   * @throws {import("./ledger.mjs").InsufficientFunds} the wallet does not hold the amount
   */
  process(payment) {
    const earlier = this.#booked.get(payment.reference);
    if (earlier !== undefined) {
      if (!isSamePayment(earlier.payment, payment)) {
        throw new ReferenceConflict(`reference ${payment.reference} was used for a different payment`);
      }
      return { ...earlier.booking, replayed: true };
    }
    this.#open(payment);
    const transactionId = newIdentifier("txn");
    const cents = payment.type === "debit" ? -payment.amountCents : payment.amountCents;
    this.#ledger.book(transactionId, [
      { account: playerAccount(payment.playerId), cents },
      { account: houseAccount(payment.currency), cents: -cents },
    ]);
    const booking = {
      transactionId,
      balanceCents: this.state(payment.playerId).balanceCents,
      replayed: false,
    };
    this.#booked.set(payment.reference, { payment, booking });
    return booking;
  }

  /**
   * @param {string} playerId
   * @returns {WalletState} for a player without a wallet, what it would hold when opened
   */
  state(playerId) {
    const currency = this.#currencies.get(playerId);
    return currency === undefined
      ? { balanceCents: this.#openingBalanceCents, currency: DEFAULT_CURRENCY }
      : { balanceCents: this.#ledger.balance(playerAccount(playerId)), currency };
  }

  /**
   * Open the wallet that a payment is for, unless it is open.
   *
   * @param {Payment} payment
   */
  #open({ playerId, currency }) {
    const opened = this.#currencies.get(playerId);
    if (opened === currency) {
      return;
    }
    if (opened !== undefined) {
      throw new InvalidPayment(`the wallet of player ${playerId} is in ${opened}, not in ${currency}`);
    }
    this.#ledger.book(newIdentifier("txn"), [
      { account: playerAccount(playerId), cents: this.#openingBalanceCents },
      { account: houseAccount(currency), cents: -this.#openingBalanceCents },
    ]);
    this.#currencies.set(playerId, currency);
  }
}

/**
 * @param {Payment} one
 * @param {Payment} other
 * @returns {boolean}
 */
function isSamePayment(one, other) {
  return (
    one.playerId === other.playerId &&
    one.type === other.type &&
    one.amountCents === other.amountCents &&
    one.currency === other.currency
  );
}
