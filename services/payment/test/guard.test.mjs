// @ts-check
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";
import { Access, newKeys } from "./tokens.mjs";

/** @type {Sink} */
let sink;
/** @type {Access} */
let access;
/** @type {Service} */
let service;

before(async () => {
  sink = await Sink.start();
  access = await Access.open();
  service = await Service.start({
    ...access.environment,
    SENTRY_DSN: sink.dsn,
    DEBUG_RATE_LIMIT: "1000/minute",
    DEBUG_CONCURRENCY: "1",
  });
});

after(() => {
  service.kill();
  sink.close();
  access.close();
});

/** @typedef {Awaited<ReturnType<Service["send"]>>} Answer */

/**
 * @param {Answer} answer
 * @param {string} path
 */
function assertUnknown({ status, headers, body }, path) {
  assert.equal(status, 404, path);
  const { "x-request-id": _id, date: _date, etag: _etag, "content-length": _length, ...rest } = headers;
  assert.deepEqual(rest, {
    "content-type": "application/json; charset=utf-8",
    connection: "keep-alive",
    "keep-alive": "timeout=65",
  });
  assert.equal(body.error, `there is no GET ${path}`);
  assert.deepEqual(Object.keys(body), ["error", "request_id"]);
}

test("switches count from the next request on, one by one, and the manifest follows", async () => {
  const headers = await access.headers();
  const listed = async () => (await service.get("/debug", headers)).body.endpoints.map((/** @type {any} */ e) => e.path);
  assert.equal((await listed()).length, 9);

  access.switch({ debug: true, "debug.crash": false, "debug.payment.memory-leak": false, "debug.unknown": false });
  assert.deepEqual(await listed(), ["/debug/event-loop-block", "/debug/database-error", "/debug/uncaught-exception"]);
  for (const path of ["/debug/crash", "/debug/type-error", "/debug/memory-leak"]) {
    assertUnknown(await service.send(path, { headers }), path);
  }
  assert.equal((await service.get("/debug/database-error", headers)).status, 503);

  for (const flags of [{ debug: false, "debug.crash": true }, { "debug.crash": true }]) {
    access.switch(flags);
    for (const path of ["/debug", "/debug/crash", "/debug/database-error", "/nowhere"]) {
      assertUnknown(await service.send(path, { headers }), path);
    }
  }
  access.switch({ debug: true });
  assert.equal((await service.get("/debug/crash", headers)).status, 500);
});

test("a file that cannot be used closes everything, which is said once", async () => {
  const headers = await access.headers();
  const on = { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: "on" };
  const contents = [
    "{",
    "[]",
    '{"flags": []}',
    JSON.stringify({ flags: { debug: on, "debug.crash": { ...on, defaultVariant: "no" } } }),
    JSON.stringify({ flags: { debug: on, "debug.crash": { ...on, variants: { on: "true" } } } }),
    JSON.stringify({ flags: { debug: on, "debug.crash": { ...on, targeting: { if: [] } } } }),
    JSON.stringify({ flags: { debug: on, "debug.load": { ...on, state: "MAYBE" } } }),
    JSON.stringify({ flags: { debug: { ...on, defaultVariant: "toString" } } }),
  ];
  for (const content of contents) {
    writeFileSync(access.flagsFile, content);
    const before = service.lines.length;
    assertUnknown(await service.send("/debug", { headers }), "/debug");
    assertUnknown(await service.send("/debug/crash", { headers }), "/debug/crash");
    const said = service.lines.slice(before).filter(({ message }) => message.startsWith("DEBUG_FLAGS_FILE cannot"));
    assert.equal(said.length, 1, content);
  }
  writeFileSync(access.flagsFile, JSON.stringify({ flags: { debug: on, "debug.crash": { ...on, state: "DISABLED" } } }));
  assertUnknown(await service.send("/debug/crash", { headers }), "/debug/crash");
  assert.equal((await service.get("/debug", headers)).status, 200);
  access.switch({ debug: true });
});

test("what is switched off leaves the telemetry of an unknown path", async (t) => {
  const headers = await access.headers();
  access.switch({ debug: true, "debug.crash": false });
  t.after(() => access.switch({ debug: true }));
  const own = new Sink();
  const paths = ["/debug/crash", "/debug/creak"];
  const traces = paths.map(() => newTrace());
  await t.test("the requests", async () => {
    for (const [number, path] of paths.entries()) {
      await service.get(path, { ...headers, ...traces[number].headers });
    }
  });
  assert.ok(own);
  await flushed();
  const [off, unknown] = traces.map(({ traceId }, number) =>
    sink.parts("span", traceId).map(({ name, attributes }) =>
      JSON.parse(
        JSON.stringify([name, Object.keys(attributes).sort(), attributes["http.route"] ?? null]).replaceAll(
          paths[number],
          "/path",
        ),
      ),
    ),
  );
  assert.ok(off.length >= 2, JSON.stringify(off));
  assert.deepEqual(off, unknown);
});
