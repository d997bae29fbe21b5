// @ts-check
/** The request to move money, checked. */

const CURRENCIES = ["EUR", "USD", "GBP"];
const MOST_CENTS = 100_000_000;
const IDENTIFIER = /^[A-Za-z0-9_.:-]{1,128}$/;

/** The currency of a wallet that nobody has used yet. */
export const DEFAULT_CURRENCY = "EUR";

/**
 * @typedef {object} Payment
 * @property {string} playerId
 * @property {"debit" | "credit"} type seen from the player: a debit takes from the wallet
 * @property {number} amountCents
 * @property {string} currency
 * @property {string} reference the caller's name for this payment; sent again, it is not booked again
 */

/** A payment that makes no sense, whoever asks and whenever. */
export class InvalidPayment extends Error {
  name = "InvalidPayment";
}

/**
 * @param {unknown} text
 * @returns {text is string} whether it can name a player or a payment
 */
export function isIdentifier(text) {
  return typeof text === "string" && IDENTIFIER.test(text);
}

/**
 * Check a decoded JSON body.
 *
 * @param {unknown} body
 * @returns {Payment}
 * @throws {InvalidPayment} names every field that is wrong
 */
export function readPayment(body) {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new InvalidPayment(
      "a payment is a JSON object with player_id, type, amount_cents, currency and reference",
    );
  }
  /** @type {Record<string, unknown>} */
  const fields = { ...body };
  const { player_id: playerId, type, amount_cents: amountCents, currency, reference } = fields;
  const playerIsNamed = isIdentifier(playerId);
  const paymentIsNamed = isIdentifier(reference);
  const typeIsKnown = type === "debit" || type === "credit";
  const amountIsInRange =
    typeof amountCents === "number" &&
    Number.isInteger(amountCents) &&
    amountCents > 0 &&
    amountCents <= MOST_CENTS;
  const currencyIsKnown = typeof currency === "string" && CURRENCIES.includes(currency);
  if (playerIsNamed && typeIsKnown && amountIsInRange && currencyIsKnown && paymentIsNamed) {
    return { playerId, type, amountCents, currency, reference };
  }
  const problems = [
    playerIsNamed || "player_id must be 1 to 128 letters, digits or _.:-",
    typeIsKnown || 'type must be "debit" or "credit"',
    amountIsInRange || `amount_cents must be a whole number from 1 to ${MOST_CENTS}`,
    currencyIsKnown || `currency must be one of ${CURRENCIES.join(", ")}`,
    paymentIsNamed || "reference must be 1 to 128 letters, digits or _.:-",
  ].filter((problem) => problem !== true);
  throw new InvalidPayment(problems.join("; "));
}
