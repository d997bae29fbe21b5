// @ts-check
/** The Express application. */
import express from "express";
import { debugEndpoints } from "./debug/registry.mjs";
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
 * @returns {Promise<import("express").Express>}
 * @throws {import("./settings.mjs").BadSetting} the file of DEBUG_KEYS_FILE cannot be used
 */
export async function createApp({ openingBalanceCents, providerApiKey, isTrustedProxy, debug }) {
  const ledger = new Ledger();
  const wallets = new Wallets(ledger, openingBalanceCents);
  const app = express();
  app.disable("x-powered-by");
  // Only who connects is believed, and only about who connected to it: what stood in the header before is hearsay.
  app.set(
    "trust proxy",
    (/** @type {string} */ address, /** @type {number} */ hop) => hop === 0 && isTrustedProxy(address),
  );
  if (debug) {
    const endpoints = [
      ...crashEndpoints(ledger, new PayoutProvider(providerApiKey)),
      ...loadEndpoints(),
      ...specificEndpoints(),
    ];
    // What the guard is made of costs a service that has no debug endpoints no start-up time.
    const { openGuard } = await import("./debug/guard/guard.mjs");
    app.use(debugEndpoints(endpoints, await openGuard(debug)));
  }
  app.use(logRequest);
  app.get("/health", (_request, response) => {
    response.json({ status: "ok", service: "payment" });
  });
  addPaymentRoutes(app, wallets);
  app.use(answerNotFound);
  app.use(answerError);
  return app;
}
