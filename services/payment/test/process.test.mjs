// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";

/** @type {Sink} */
let sink;

before(async () => {
  sink = await Sink.start();
});

after(() => sink.close());

test("an exception in a timer kills the process after the answer and its event are out", async (t) => {
  const service = await Service.start({ SENTRY_DSN: sink.dsn });
  t.after(() => service.kill());
  const trace = newTrace();
  const answer = await service.get("/debug/uncaught-exception", trace.headers);
  assert.equal(answer.status, 202);
  assert.equal((await service.exited()).code, 1);

  const [event] = sink.events(trace.traceId);
  assert.equal(event.level, "fatal");
  assert.equal(event.exception.values[0].type, "SettlementNotOpen");
  assert.equal(event.exception.values[0].value, `settlement ${answer.body.settlement_id} is not open`);
  assert.deepEqual(event.exception.values[0].mechanism, {
    type: "auto.node.onuncaughtexception",
    handled: false,
  });
  assert.deepEqual(
    event.breadcrumbs.map((/** @type {any} */ crumb) => crumb.category),
    ["wallet.session", "settlement.request", "settlement.timer"],
  );
  assert.equal(
    sink.parts("span", trace.traceId).some(({ is_segment }) => is_segment),
    true,
  );
});

test("SIGTERM lets a request finish and loses nothing", async (t) => {
  const service = await Service.start({ SENTRY_DSN: sink.dsn });
  t.after(() => service.kill());
  const trace = newTrace();
  const answering = service.get("/debug/crash?hold_ms=300", trace.headers);
  // Sent over a connection of its own, so the server has taken the first request when this one is answered.
  await service.get("/health");
  const stopped = await service.stop();
  assert.equal((await answering).status, 500);
  assert.equal(stopped.code, 0);
  assert.equal(sink.events(trace.traceId).length, 1);
  assert.equal(sink.parts("span", trace.traceId).length, 3);
});

test("a span of the readiness probe is not sent", async (t) => {
  const service = await Service.start({ SENTRY_DSN: sink.dsn });
  t.after(() => service.kill());
  const trace = newTrace();
  assert.deepEqual((await service.get("/health", trace.headers)).body, { status: "ok", service: "payment" });
  await service.stop();
  assert.deepEqual(sink.parts("span", trace.traceId), []);
});

test("without a DSN the service works and names no event", async (t) => {
  const service = await Service.start({});
  t.after(() => service.kill());
  const failed = await service.get("/debug/crash");
  assert.equal(failed.status, 500);
  assert.equal(failed.headers.get("x-sentry-event-id"), null);
  assert.deepEqual(Object.keys(failed.body), ["error", "request_id"]);
  const reported = await service.get("/debug/memory-leak");
  assert.equal(reported.status, 200);
  assert.equal(reported.headers.get("x-sentry-event-id"), null);
  assert.equal((await service.stop()).code, 0);
});

test("a bad setting ends the process with one line and exit code 2", async () => {
  const settings = [
    [{ PORT: "http" }, /^payment: PORT must be a whole number from 0 to 65535, not "http"\n$/],
    [{ PORT: "65536" }, /^payment: PORT must be .*\n$/],
    [{ OPENING_BALANCE_CENTS: "-1" }, /^payment: OPENING_BALANCE_CENTS must be .*\n$/],
    [
      { PORT: String(sink.port) },
      /^payment: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*; choose another PORT or HOST\n$/,
    ],
    [{ SENTRY_DSN: "nonsense" }, /^payment: SENTRY_DSN must be a DSN such as .*, not "nonsense"\n$/],
  ];
  for (const [environment, words] of settings) {
    const service = new Service(/** @type {Record<string, string>} */ (environment));
    const { code, stderr } = await service.exited();
    assert.equal(code, 2);
    assert.match(stderr, /** @type {RegExp} */ (words));
  }
});
