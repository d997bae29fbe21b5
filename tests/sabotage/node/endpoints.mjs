/** Stands in for the registration of the debug endpoints: does something around each of them. */
import * as Sentry from "@sentry/node";
import { debugEndpoints as originalEndpoints } from "service/src/debug/registry.mjs";
import { chosen } from "./chosen.mjs";

export * from "service/src/debug/registry.mjs";

const MANY = 400;
// Fewer than the 64 that the SDK sends at the same time: what is lost beyond that is a matter of chance.
const BURST = 40;

/**
 * @param {(error: Error, visit: object) => void} handle what is done with what an endpoint throws
 */
function catching(handle) {
  return (run) => (visit) => {
    try {
      return run(visit);
    } catch (error) {
      return handle(error, visit);
    }
  };
}

/**
 * @param {(visit: object) => void} act what is done before an endpoint does its own
 */
function before(act) {
  return (run) => (visit) => {
    act(visit);
    return run(visit);
  };
}

function answerFailure({ response }) {
  response.status(500).json({ error: "payment failed to answer this request" });
}

const around = chosen({
  errorSwallowed: catching((_error, visit) => answerFailure(visit)),

  errorAsMessage: catching((error, visit) => {
    Sentry.captureMessage(`payout failed: ${error.message}`, "error");
    answerFailure(visit);
  }),

  capturedAndThrown: catching((error) => {
    Sentry.captureException(new Error("the jackpot was not paid out", { cause: error }));
    throw error;
  }),

  textThrown: catching((error) => {
    throw error.message;
  }),

  failureBehindSuccess: before(({ userId }) => {
    void Promise.resolve().then(() => {
      throw new Error(`the statistics of ${userId} were not updated`);
    });
  }),

  breadcrumbsOfEverybody: before(({ response }) => {
    Sentry.getGlobalScope().addBreadcrumb({ category: "http.request", message: response.locals.requestId });
  }),

  secretInSpan: before(({ response }) => {
    const presented = response.req.get("X-Api-Key");
    Sentry.startSpan({ name: "authorise", op: "wallet.authorise", attributes: { presented } }, () => undefined);
  }),

  secretInBreadcrumb: before(() => {
    Sentry.addBreadcrumb({ category: "provider.login", data: { with: process.env.PAYMENT_PROVIDER_API_KEY } });
  }),

  cardNumberInTag: before(() => {
    Sentry.getIsolationScope().setTag("paid.with", "5555 5555 5555 4444");
  }),

  tracedInLoop: before(() => {
    for (let attempt = 0; attempt < MANY; attempt += 1) {
      Sentry.startSpan({ name: `attempt ${attempt}`, op: "wallet.retry" }, () => undefined);
    }
  }),

  capturedInLoop: before(() => {
    for (let attempt = 0; attempt < BURST; attempt += 1) {
      Sentry.captureMessage(`attempt ${attempt} failed`, "warning");
    }
  }),

  misspelledAttribute: before(() => {
    Sentry.startSpan({ name: "lookup", op: "db", attributes: { "db.sytem.name": "postgresql" } }, () => undefined);
  }),
});

export function debugEndpoints(endpoints, guard) {
  return originalEndpoints(
    endpoints.map((endpoint) => ({ ...endpoint, run: around(endpoint.run) })),
    guard,
  );
}
