// @ts-check
/** The Express application. */
import express from "express";
import { addDebugEndpoints } from "./debug/registry.mjs";
import { crashEndpoints } from "./debug/crashes.mjs";
import { loadEndpoints } from "./debug/load.mjs";
import { specificEndpoints } from "./debug/specific.mjs";
import { PayoutProvider } from "./defects/payouts.mjs";
import { answerError, answerNotFound } from "./http/errors.mjs";
import { addPaymentRoutes } from "./http/payments.mjs";
import { logRequest } from "./http/request-log.mjs";
import { Ledger } from "./ledger/ledger.mjs";
import { Wallets } from "./ledger/wallets.mjs";

/**
 * Build the application.
 *
 * @param {import("./settings.mjs").Settings} settings
 * @returns {import("express").Express}
 */
export function createApp({ openingBalanceCents, providerApiKey }) {
  const ledger = new Ledger();
  const wallets = new Wallets(ledger, openingBalanceCents);
  const app = express();
  app.disable("x-powered-by");
  app.use(logRequest);
  app.get("/health", (_request, response) => {
    response.json({ status: "ok", service: "payment" });
  });
  addPaymentRoutes(app, wallets);
  addDebugEndpoints(app, [...crashEndpoints(ledger, new PayoutProvider(providerApiKey)), ...loadEndpoints(), ...specificEndpoints()]);
  app.use(answerNotFound);
  app.use(answerError);
  return app;
}
