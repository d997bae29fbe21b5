// @ts-check
/** Booking a payment in sight of Sentry: breadcrumbs, a span around the ledger, a log and metrics. */
import * as Sentry from "@sentry/node";
import { InsufficientFunds } from "./ledger/ledger.mjs";

/** @typedef {import("./ledger/payment.mjs").Payment} Payment */
/** @typedef {import("./ledger/wallets.mjs").Booking} Booking */

/**
 * Book a payment and tell of it.
 *
 * @param {import("./ledger/wallets.mjs").Wallets} wallets
 * @param {Payment} payment
 * @param {string} requestId id of the request that asks for it
 * @returns {Booking}
 * @throws whatever `Wallets.process` throws
 */
export function bookPayment(wallets, payment, requestId) {
  const attributes = { "payment.type": payment.type, "payment.currency": payment.currency };
  Sentry.addBreadcrumb({
    category: `wallet.${payment.type}`,
    message: `${payment.type} ${payment.amountCents} cents for ${payment.reference}`,
    data: {
      user_id: payment.playerId,
      request_id: requestId,
      amount_cents: payment.amountCents,
      reference: payment.reference,
    },
    level: "info",
  });
  try {
    const booking = Sentry.startSpan(
      {
        name: "ledger.book",
        op: "ledger.book",
        attributes: {
          ...attributes,
          "payment.amount_cents": payment.amountCents,
          "payment.reference": payment.reference,
        },
      },
      () => wallets.process(payment),
    );
    tellBooked(payment, booking, attributes);
    return booking;
  } catch (error) {
    if (error instanceof InsufficientFunds) {
      tellRefused(payment, error, attributes);
    }
    throw error;
  }
}

/**
 * @param {Payment} payment
 * @param {Booking} booking
 * @param {Record<string, string>} attributes
 */
function tellBooked(payment, booking, attributes) {
  Sentry.logger.info(
    Sentry.logger.fmt`booked ${payment.type} of ${payment.amountCents} cents as ${booking.transactionId}`,
    {
      ...attributes,
      "payment.reference": payment.reference,
      "payment.transaction_id": booking.transactionId,
      "payment.balance_cents": booking.balanceCents,
      "payment.replayed": booking.replayed,
    },
  );
  Sentry.metrics.count("payment.bookings", 1, {
    attributes: { ...attributes, "payment.replayed": booking.replayed },
  });
  if (!booking.replayed) {
    Sentry.metrics.distribution("payment.amount", payment.amountCents, { unit: "cent", attributes });
  }
}

/**
 * @param {Payment} payment
 * @param {InsufficientFunds} error
 * @param {Record<string, string>} attributes
 */
function tellRefused(payment, error, attributes) {
  Sentry.logger.warn(
    Sentry.logger.fmt`refused ${payment.type} of ${payment.amountCents} cents: insufficient funds`,
    {
      ...attributes,
      "payment.reference": payment.reference,
      "payment.balance_cents": error.balanceCents,
    },
  );
  Sentry.metrics.count("payment.refusals", 1, { attributes });
}
