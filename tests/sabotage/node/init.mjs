/** Stands in for the SDK: what the service passes to `init` is changed on the way. */
import * as Sentry from "@sentry/node";
import { chosen } from "./chosen.mjs";

export * from "@sentry/node";

// Less than what a token of the harness is good for: with more, nobody gets to the endpoint.
const TWO_MINUTES = 2 * 60 * 1000;

/**
 * @param {(own: Sentry.NodeOptions) => Sentry.NodeOptions} change gives what differs from the service's options
 */
function options(change) {
  return (own) => Sentry.init({ ...own, ...change(own) });
}

/**
 * @param {(event: Sentry.ErrorEvent) => Sentry.ErrorEvent | undefined} change comes after the service's beforeSend
 */
function events(change) {
  return options((own) => ({
    async beforeSend(event, hint) {
      const kept = own.beforeSend ? await own.beforeSend(event, hint) : event;
      return kept && change(kept);
    },
  }));
}

/**
 * @param {string} name of an integration that is left out
 */
function without(name) {
  return options(({ integrations }) => ({ integrations: integrations.filter((each) => each.name !== name) }));
}

/**
 * @param {(client: Sentry.NodeClient) => void} change comes when the SDK has started
 */
function client(change) {
  return (own) => {
    const started = Sentry.init(own);
    change(started);
    return started;
  };
}

export const init = chosen({
  notInitialised: () => undefined,

  keyOfAnotherProject: options(() => ({ dsn: process.env.SENTRY_DSN.replace(/\w+@/, `${"0".repeat(32)}@`) })),

  beforeSendReturnsNothing: events((event) => {
    event.extra = { ...event.extra, build: "4711" };
  }),

  beforeSendThrows: events((event) => ({ ...event, fingerprint: [event.request.data.reference] })),

  ignoredTooBroadly: options(() => ({ ignoreErrors: [/transaction/] })),

  sampledAnew: options(() => ({ tracesSampler: () => 0 })),

  tracingOff: options(() => ({ tracesSampleRate: undefined })),

  sourceNotRead: without("ContextLines"),

  rejectionsIgnored: (own) => {
    process.on("unhandledRejection", () => undefined);
    return without("OnUnhandledRejection")(own);
  },

  everythingCollected: options(() => ({
    dataCollection: {
      userInfo: true,
      cookies: true,
      httpHeaders: { request: true },
      httpBodies: ["incomingRequest"],
    },
  })),

  exitsUnflushed: (own) => {
    process.on("uncaughtException", () => process.exit(1));
    return without("OnUncaughtException")(own);
  },

  logsFiltered: options(() => ({ beforeSendLog: () => null })),

  tagRemoved: events((event) => {
    delete event.tags["debug.scenario"];
    return event;
  }),

  contextRemoved: events((event) => {
    delete event.contexts.v8_heap;
    return event;
  }),

  oversizedContext: events((event) => {
    const postings = Array.from({ length: 2000 }, (_, cents) => ({ cents }));
    event.contexts.ledger = { postings: JSON.stringify(postings) };
    return event;
  }),

  unknownLevel: events((event) => ({ ...event, level: "severe" })),

  samplingContextRemoved: client((started) => {
    started.on("beforeEnvelope", ([headers]) => {
      delete headers.trace;
    });
  }),

  sentTwice: client((started) => {
    const transport = started.getTransport();
    const send = transport.send.bind(transport);
    transport.send = async (envelope) => {
      await send(envelope);
      return send(envelope);
    };
  }),

  clockWrong: (own) => {
    const Now = Date;
    globalThis.Date = class extends Now {
      constructor(...given) {
        super(...(given.length > 0 ? given : [Now.now() + TWO_MINUTES]));
      }

      static now() {
        return Now.now() + TWO_MINUTES;
      }
    };
    Object.defineProperty(performance, "timeOrigin", { value: performance.timeOrigin + TWO_MINUTES });
    return Sentry.init(own);
  },
});
