// @ts-check

/**
 * Negotiated fees in cents, by currency and payment reference.
 *
 * @type {Record<string, Record<string, number>>}
 */
const overrides = { EUR: { pay_vip: 0 }, USD: {}, GBP: {} };

/**
 * Find the fee that was negotiated for a payment.
 *
 * The defect: a currency without any negotiated fee has no table at all.
 *
 * @param {{ reference: string, currency: string }} payment
 * @returns {number | undefined} cents
 * @throws {TypeError} the currency is not in the table
 */
export function overrideCents(payment) {
  return overrideIn(overrides[payment.currency], payment.reference);
}

/**
 * @param {Record<string, number>} table
 * @param {string} reference
 * @returns {number | undefined}
 */
function overrideIn(table, reference) {
  return table[reference];
}
