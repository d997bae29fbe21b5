// @ts-check
/** Starts the Sentry SDK; preloaded by `node --import`, so that Express and pg load instrumented. */
import * as Sentry from "@sentry/node";
import { readTraceHeadersStrictly } from "./src/http/incoming-trace.mjs";
import { statusOf } from "./src/http/status.mjs";
import { runtimeContextsIntegration } from "./src/runtime-contexts.mjs";
import { makeScrubbingTransport } from "./src/scrubbing.mjs";
import { impatientHttp } from "./src/sentry-requests.mjs";
import { checkDsn, orStop } from "./src/settings.mjs";

// What is not named here is sent as "[Filtered]". Names are matched in part: "host" allows X-Forwarded-Host too.
const HARMLESS_HEADERS = [
  "accept",
  "baggage",
  "connection",
  "content-",
  "host",
  "request-id",
  "sentry-trace",
  "user-agent",
];

// Sentry shows up to 50 frames; Node's own limit of 10 ends within Express.
Error.stackTraceLimit = 50;

await orStop(() => checkDsn(process.env));

readTraceHeadersStrictly();
Sentry.init({
  transport: makeScrubbingTransport,
  transportOptions: { httpModule: impatientHttp() },
  defaultIntegrations: false,
  integrations: [
    Sentry.eventFiltersIntegration(),
    Sentry.functionToStringIntegration(),
    Sentry.linkedErrorsIntegration(),
    Sentry.dedupeIntegration(),
    Sentry.requestDataIntegration(),
    Sentry.systemErrorIntegration(),
    // Readiness probes would bury the traces that matter.
    Sentry.httpIntegration({ ignoreIncomingRequests: (path) => path === "/health" }),
    Sentry.nativeNodeFetchIntegration(),
    Sentry.onUncaughtExceptionIntegration(),
    Sentry.onUnhandledRejectionIntegration(),
    Sentry.contextLinesIntegration(),
    Sentry.nodeContextIntegration(),
    Sentry.processSessionIntegration(),
    Sentry.modulesIntegration(),
    Sentry.expressIntegration({
      shouldHandleError: (error) => statusOf(error) >= 500,
      // Every request passes it, whether it is for a debug endpoint or not.
      ignoreLayers: ["enterDebugEndpoints"],
    }),
    Sentry.postgresIntegration(),
    runtimeContextsIntegration(),
  ],
  tracesSampleRate: 1,
  // A wallet's requests are about people and their money: who asks and what they send stays here. Of the headers only
  // those are shown that are known to be harmless, because nobody knows what the next client will send.
  dataCollection: {
    userInfo: false,
    cookies: false,
    httpBodies: [],
    httpHeaders: { allow: HARMLESS_HEADERS },
  },
  initialScope: { tags: { service: "payment" } },
});
