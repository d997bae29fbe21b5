// @ts-check
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { exportJWK } from "jose";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";
import { Access, newKeys } from "./tokens.mjs";

/** @type {Sink} */
let sink;
/** @type {Access} */
let access;
/** @type {Record<string, string>} */
let auth;

before(async () => {
  sink = await Sink.start();
  access = await Access.open();
  auth = await access.headers();
});

after(() => {
  sink.close();
  access.close();
});

test("an exception in a timer kills the process after the answer and its event are out", async (t) => {
  const service = await Service.start({ ...access.environment, SENTRY_DSN: sink.dsn });
  t.after(() => service.kill());
  const trace = newTrace();
  const answer = await service.get("/debug/uncaught-exception", { ...auth, ...trace.headers });
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
  const service = await Service.start({ ...access.environment, SENTRY_DSN: sink.dsn });
  t.after(() => service.kill());
  const trace = newTrace();
  const answering = service.get("/debug/crash?hold_ms=300", { ...auth, ...trace.headers });
  // Sent over a connection of its own, so the server has taken the first request when this one is answered.
  await service.get("/health");
  const stopped = await service.stop();
  assert.equal((await answering).status, 500);
  assert.equal(stopped.code, 0);
  assert.equal(sink.events(trace.traceId).length, 1);
  assert.equal(sink.parts("span", trace.traceId).length, 2);
});

test("a span of the readiness probe is not sent", async (t) => {
  const service = await Service.start({ ...access.environment, SENTRY_DSN: sink.dsn });
  t.after(() => service.kill());
  const trace = newTrace();
  assert.deepEqual((await service.get("/health", trace.headers)).body, { status: "ok", service: "payment" });
  await service.stop();
  assert.deepEqual(sink.parts("span", trace.traceId), []);
});

test("without a DSN the service works and names no event", async (t) => {
  const service = await Service.start(access.environment);
  t.after(() => service.kill());
  const failed = await service.get("/debug/crash", auth);
  assert.equal(failed.status, 500);
  assert.equal(failed.headers.get("x-sentry-event-id"), null);
  assert.deepEqual(Object.keys(failed.body), ["error", "request_id"]);
  const reported = await service.get("/debug/memory-leak", auth);
  assert.equal(reported.status, 200);
  assert.equal(reported.headers.get("x-sentry-event-id"), null);
  assert.equal((await service.stop()).code, 0);
});

test("a bad setting ends the process with one line and exit code 2", async () => {
  const { privateKey } = await newKeys();
  const privateKeysFile = join(access.folder, "private.json");
  writeFileSync(privateKeysFile, JSON.stringify({ keys: [await exportJWK(privateKey)] }));
  const settings = [
    [{ PORT: "http" }, /^payment: PORT must be a whole number from 0 to 65535, not "http"\n$/],
    [{ PORT: "65536" }, /^payment: PORT must be .*\n$/],
    [{ OPENING_BALANCE_CENTS: "-1" }, /^payment: OPENING_BALANCE_CENTS must be .*\n$/],
    [
      { PORT: String(sink.port) },
      /^payment: cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*; choose another PORT or HOST\n$/,
    ],
    [{ DEBUG_FLAGS_FILE: access.flagsFile }, /^payment: DEBUG_FLAGS_FILE needs DEBUG_KEYS_FILE, .*\n$/],
    [
      { ...access.environment, DEBUG_KEYS_FILE: `${access.folder}/none` },
      /^payment: DEBUG_KEYS_FILE must be a JWKS with public keys: ENOENT.*\n$/,
    ],
    [
      { ...access.environment, DEBUG_KEYS_FILE: access.flagsFile },
      /^payment: DEBUG_KEYS_FILE must be .* with at least one key\n$/,
    ],
    [
      { ...access.environment, DEBUG_KEYS_FILE: privateKeysFile },
      /^payment: DEBUG_KEYS_FILE must be .* public one; this file has the private part of one, .*\n$/,
    ],
    [{ DEBUG_RATE_LIMIT: "0/minute" }, /^payment: DEBUG_RATE_LIMIT must be .*, not "0\/minute"\n$/],
    [{ DEBUG_CONCURRENCY: "0" }, /^payment: DEBUG_CONCURRENCY must be a whole number from 1 to .*\n$/],
    [
      { DEBUG_LIMITS_URL: "http://:secret@x" },
      /^payment: DEBUG_LIMITS_URL must be the URL of a Redis [^@]*\n$/,
    ],
    ...["10.0.0.0/33", "localhost", "::1/129", "1", "10.0.0.0/", "127.0.0.1 ::1"].map((text) => [
      { TRUSTED_PROXIES: text },
      /^payment: TRUSTED_PROXIES must be addresses or networks such as .*, not ".*"\n$/,
    ]),
    [{ SENTRY_DSN: "nonsense" }, /^payment: SENTRY_DSN must be a DSN such as .*, not "nonsense"\n$/],
  ];
  await Promise.all(
    settings.map(async ([environment, words]) => {
      const service = new Service(/** @type {Record<string, string>} */ (environment));
      const { code, stderr } = await service.exited();
      assert.equal(code, 2);
      assert.match(stderr, /** @type {RegExp} */ (words));
    }),
  );
});
