// @ts-check
/** The business of the service: booking payments and telling balances. */
import express from "express";
import * as Sentry from "@sentry/node";
import { bookPayment } from "../booking.mjs";
import { isIdentifier, readPayment } from "../ledger/payment.mjs";
import { BadRequest } from "./bad-request.mjs";
import { requestIdOf } from "./request-log.mjs";

/**
 * Add `POST /process` and `GET /balance/:playerId`.
 *
 * @param {import("express").Express} app
 * @param {import("../ledger/wallets.mjs").Wallets} wallets
 */
export function addPaymentRoutes(app, wallets) {
  app.post("/process", express.json({ limit: "16kb" }), (request, response) => {
    const payment = readPayment(request.body);
    Sentry.getIsolationScope().setUser({ id: payment.playerId }).setTag("currency", payment.currency);
    const booking = bookPayment(wallets, payment, requestIdOf(response));
    response.json({
      transaction_id: booking.transactionId,
      player_id: payment.playerId,
      type: payment.type,
      amount_cents: payment.amountCents,
      currency: payment.currency,
      reference: payment.reference,
      balance_cents: booking.balanceCents,
      replayed: booking.replayed,
    });
  });

  app.get("/balance/:playerId", (request, response) => {
    const { playerId } = request.params;
    if (!isIdentifier(playerId)) {
      throw new BadRequest("a player id is 1 to 128 letters, digits or _.:-");
    }
    Sentry.getIsolationScope().setUser({ id: playerId });
    const { balanceCents, currency } = wallets.state(playerId);
    response.json({ player_id: playerId, currency, balance_cents: balanceCents });
  });
}
