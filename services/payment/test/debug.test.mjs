// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";
import { Access } from "./tokens.mjs";

const express = { type: "auto.http.express", handled: false };
const ofMessage = { type: "generic", handled: true, synthetic: true };

/**
 * What Sentry gets to see of each endpoint that the process survives.
 *
 * @type {Record<string, { status: number, level: string, type?: string, value: RegExp, mechanism: object,
 *   crumbs: string[] }>}
 */
const endpoints = {
  crash: {
    status: 500,
    level: "error",
    type: "LedgerImbalance",
    value: /^postings of transaction txn_\w{8} are off by -1 cents$/,
    mechanism: express,
    crumbs: ["wallet.session", "jackpot.won", "ledger.post"],
  },
  "promise-rejection": {
    status: 202,
    level: "error",
    type: "UndeliverableReceipt",
    value: /^receipt rcp_\w{8} has no address to go to$/,
    mechanism: { type: "auto.node.onunhandledrejection", handled: false },
    crumbs: ["wallet.credit", "receipt.render", "receipt.deliver"],
  },
  "async-error": {
    status: 500,
    level: "error",
    type: "PayoutRefused",
    value: /^payout pyo_\w{8} of 75000 cents is above the daily limit of 50000$/,
    mechanism: express,
    crumbs: ["payout.request", "wallet.reserve", "payout.provider"],
  },
  "type-error": {
    status: 500,
    level: "error",
    type: "TypeError",
    value: /^Cannot read properties of undefined \(reading 'pay_\w{8}'\)$/,
    mechanism: express,
    crumbs: ["wallet.debit", "fee.schedule", "fee.override"],
  },
  "stack-overflow": {
    status: 500,
    level: "error",
    type: "RangeError",
    value: /^netting run net_\w{8}: Maximum call stack size exceeded$/,
    mechanism: express,
    crumbs: ["wallet.session", "netting.start", "netting.follow"],
  },
  "memory-leak": {
    status: 200,
    level: "warning",
    value: /^Receipt cache grew by 4 MB with batch rcb_\w{8}$/,
    mechanism: ofMessage,
    crumbs: ["wallet.history", "receipt.render", "cache.growth"],
  },
  "event-loop-block": {
    status: 200,
    level: "warning",
    value: /^Event loop blocked for \d+ ms while sealing journal page jrn_\w{8}$/,
    mechanism: ofMessage,
    crumbs: ["wallet.audit", "journal.seal", "event_loop.delay"],
  },
  "database-error": {
    status: 503,
    level: "error",
    type: "Error",
    value: /^archived transaction txn_\w{8}: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    mechanism: express,
    crumbs: ["wallet.history", "ledger.lookup", "db.connect"],
  },
};
const runtimeContexts = [
  "runtime_memory",
  "runtime_cpu",
  ...(process.platform === "linux" ? ["runtime_threads"] : []),
  "runtime_versions",
  "v8_heap",
  "event_loop",
];

/** @typedef {import("./service.mjs").Trace} Trace */
/** @typedef {{ name: string, trace: Trace, status: number, eventId: string | null }} Visit */

/** @type {Sink} */
let sink;
/** @type {any} */
let manifest;
/** @type {Visit[]} each endpoint twice in a row: the SDK drops an event that equals the one before it */
const visits = [];
/** @type {{ status: number, error: string }[]} */
const refusals = [];
const overlapping = [newTrace(), newTrace()];
/** @type {number[]} */
const retained = [];

before(async () => {
  sink = await Sink.start();
  const access = await Access.open();
  const auth = await access.headers();
  const service = await Service.start({
    ...access.environment,
    SENTRY_DSN: sink.dsn,
    SENTRY_RELEASE: "payment@test",
    SENTRY_ENVIRONMENT: "test",
  });
  try {
    manifest = (await service.get("/debug", auth)).body;
    for (const name of Object.keys(endpoints)) {
      for (const trace of [newTrace(), newTrace()]) {
        const { status, headers } = await service.get(`/debug/${name}`, { ...auth, ...trace.headers });
        visits.push({ name, trace, status, eventId: headers.get("x-sentry-event-id") });
      }
    }
    for (const query of [
      "crash?hold_ms=2001",
      "crash?hold_ms=x",
      "memory-leak?mb=33",
      "event-loop-block?ms=0",
    ]) {
      const { status, body } = await service.get(`/debug/${query}`, auth);
      refusals.push({ status, error: body.error });
    }
    const stranger = await service.get("/debug/crash", { ...auth, "x-debug-user": "no spaces" });
    refusals.push({ status: stranger.status, error: stranger.body.error });
    await Promise.all(
      overlapping.map((trace, number) =>
        service.get("/debug/crash?hold_ms=200", {
          ...auth,
          ...trace.headers,
          "x-debug-user": `user-${number}`,
        }),
      ),
    );
    for (let call = 0; call < 5; call += 1) {
      retained.push((await service.get("/debug/memory-leak?mb=32", auth)).body.retained_mb);
    }
    assert.equal((await service.stop()).code, 0);
  } finally {
    service.kill();
    access.close();
  }
});

after(() => sink.close());

test("the manifest lists exactly the endpoints there are, with the status of their answers", () => {
  assert.equal(manifest.service, "payment");
  const expected = { ...endpoints, "uncaught-exception": { status: 202 } };
  assert.deepEqual(
    Object.fromEntries(manifest.endpoints.map((/** @type {any} */ entry) => [entry.path, entry.status])),
    Object.fromEntries(Object.entries(expected).map(([name, { status }]) => [`/debug/${name}`, status])),
  );
});

for (const [name, expected] of Object.entries(endpoints)) {
  test(`${name} tells Sentry the whole story, each time`, () => {
    const both = visits.filter((visit) => visit.name === name);
    assert.equal(both.length, 2);
    for (const { trace, status, eventId } of both) {
      assert.equal(status, expected.status);
      const [event, ...more] = sink.events(trace.traceId);
      assert.deepEqual(more, []);
      assert.equal(event.level, expected.level);
      assert.equal(event.release, "payment@test");
      assert.equal(event.environment, "test");
      assert.equal(event.transaction, `GET /debug/${name}`);
      assert.equal(event.tags.service, "payment");
      assert.equal(event.tags["debug.scenario"], name);
      assert.deepEqual(event.user, { id: "debug-payment-user", username: "debug-payment" });
      assert.equal(eventId, name === "promise-rejection" ? null : event.event_id);

      const [exception, ...chained] = event.exception.values;
      assert.deepEqual(chained, []);
      assert.equal(exception.type, expected.type);
      assert.match(exception.value, expected.value);
      assert.deepEqual(exception.mechanism, expected.mechanism);
      assert.ok(exception.stacktrace.frames.some((/** @type {any} */ frame) => frame.in_app));

      assert.deepEqual(
        event.breadcrumbs.map((/** @type {any} */ crumb) => crumb.category),
        expected.crumbs,
      );
      assert.equal(event.breadcrumbs[0].data.user_id, "debug-payment-user");
      for (const context of runtimeContexts) {
        assert.ok(event.contexts[context], `no context ${context}`);
      }
      assert.ok(event.contexts.runtime_memory.rss_mb > 20);
      assert.ok(event.contexts.v8_heap.used_heap_size > 1e6);

      const spans = sink.parts("span", trace.traceId);
      const segment = spans.find(({ is_segment }) => is_segment);
      assert.equal(segment.name, `GET /debug/${name}`);
      assert.equal(segment.parent_span_id, trace.spanId);
      assert.equal(segment.attributes["http.response.status_code"].value, expected.status);
      assert.ok(spans.some(({ span_id }) => span_id === event.contexts.trace.span_id));
    }
  });
}

test("the SDK dropped nothing", () => {
  assert.equal(
    sink.items.some(({ type }) => type === "client_report"),
    false,
  );
});

test("parameters and users out of bounds are refused in words", () => {
  for (const { status, error } of refusals) {
    assert.equal(status, 400);
    assert.match(
      error,
      /^(parameter \w+ must be a whole number from \d+ to \d+, not |header X-Debug-User must be )/,
    );
  }
});

test("the growth of the process is measured, and what leaks is bounded", () => {
  const growth = contextsOf("memory-leak").memory_leak;
  assert.equal(growth.retained_mb, 4);
  assert.ok(growth.growth_mb > 2 && growth.growth_mb < 16, JSON.stringify(growth));
  assert.ok(Math.abs(growth.after_mb - growth.before_mb - growth.growth_mb) < 0.02);
  // The two visits before left 8 MB, so that the ceiling of 128 MB is met at the fourth call.
  assert.deepEqual(retained, [40, 72, 104, 32, 64]);
});

test("the delay of a blocked event loop is measured", () => {
  const blocked = contextsOf("event-loop-block").event_loop;
  assert.equal(blocked.requested_ms, 300);
  assert.ok(blocked.delay_max_ms >= 298, JSON.stringify(blocked));
});

test("a refused connection comes with its system error and a span", () => {
  const { code, port } = contextsOf("database-error").node_system_error;
  assert.deepEqual({ code, port }, { code: "ECONNREFUSED", port: 1 });
  const span = sink
    .parts("span", firstVisit("database-error").traceId)
    .find(({ name }) => name === "pg.connect");
  assert.equal(span.status, "error");
  assert.equal(span.attributes["sentry.op"].value, "db");
});

test("users and breadcrumbs of overlapping requests stay apart", () => {
  const segments = overlapping.map(({ traceId }) =>
    sink.parts("span", traceId).find(({ is_segment }) => is_segment),
  );
  assert.ok(segments[0].start_timestamp < segments[1].end_timestamp);
  assert.ok(segments[1].start_timestamp < segments[0].end_timestamp);
  for (const [number, { traceId }] of overlapping.entries()) {
    const [event] = sink.events(traceId);
    assert.equal(event.user.id, `user-${number}`);
    const [opened, ...story] = event.breadcrumbs.map((/** @type {any} */ crumb) => crumb.data);
    assert.equal(opened.user_id, `user-${number}`);
    assert.equal(story.length, 2);
    assert.equal(story[0].jackpot_id, story[1].jackpot_id);
  }
});

/**
 * @param {string} name
 * @returns {Trace}
 */
function firstVisit(name) {
  const visit = visits.find((candidate) => candidate.name === name);
  assert.ok(visit);
  return visit.trace;
}

/**
 * @param {string} name
 * @returns {any} contexts of the event of the first visit to an endpoint
 */
function contextsOf(name) {
  return sink.events(firstVisit(name).traceId)[0].contexts;
}
