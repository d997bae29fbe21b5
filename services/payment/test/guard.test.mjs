// @ts-check
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { exportJWK } from "jose";
import { RefusalBudget } from "../src/debug/guard/audit.mjs";
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
  const listed = async () =>
    (await service.get("/debug", headers)).body.endpoints.map((/** @type {any} */ e) => e.path);
  assert.equal((await listed()).length, 9);

  access.switch({
    debug: true,
    "debug.crash": false,
    "debug.payment.memory-leak": false,
    "debug.unknown": false,
  });
  assert.deepEqual(await listed(), [
    "/debug/event-loop-block",
    "/debug/database-error",
    "/debug/uncaught-exception",
  ]);
  for (const path of ["/debug/crash", "/debug/type-error", "/debug/memory-leak"]) {
    assertUnknown(await service.send(path, { headers }), path);
  }
  assert.equal((await service.get("/debug/database-error", headers)).status, 503);

  /** @type {Record<string, boolean>[]} */
  const closed = [{ debug: false, "debug.crash": true }, { "debug.crash": true }];
  for (const flags of closed) {
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
    const last = await service.send("/debug/crash", { headers });
    assertUnknown(last, "/debug/crash");
    await service.logged(last.body.request_id);
    const said = service.lines
      .slice(before)
      .filter(({ message }) => message.startsWith("DEBUG_FLAGS_FILE cannot"));
    assert.equal(said.length, 1, content);
  }
  writeFileSync(
    access.flagsFile,
    JSON.stringify({ flags: { debug: on, "debug.crash": { ...on, state: "DISABLED" } } }),
  );
  assertUnknown(await service.send("/debug/crash", { headers }), "/debug/crash");
  assert.equal((await service.get("/debug", headers)).status, 200);
  access.switch({ debug: true });
});

test("nothing but one good token gets in, and the answer says no more than that", async () => {
  const stranger = await newKeys();
  const now = Math.floor(Date.now() / 1000);
  const good = await access.token();
  const [header, payload, signature] = good.split(".");
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
  const tampered = `${header}.${Buffer.from('{"sub":"root"}').toString("base64url")}.${signature}`;
  const tokens = [
    unsigned,
    tampered,
    `${header}.${payload}.`,
    `${good}.${good}`,
    "a".repeat(4097),
    await access.token({ sub: "long", jti: "j".repeat(4000) }),
    await access.token({}, { keys: stranger }),
    await access.token({}, { header: { kid: "unknown" } }),
    await access.token({ exp: now - 6 }),
    await access.token({ iat: now, exp: now + 901 }),
    await access.token({ iat: now + 60 }),
    await access.token({ nbf: now + 60 }),
    await access.token({ aud: "other" }),
    await access.token({ scope: ["debug:crash"] }),
    await access.token({ jti: 7 }),
    ...(await Promise.all(["a\n", "\ud800", "a\u0000b"].map((jti) => access.token({ jti })))),
    ...(await Promise.all(
      [
        { kid: null },
        { crit: ["b64"], b64: true },
        { crit: ["exp"], exp: 1 },
        { b64: false },
        { b64: true },
        { alg: null },
        { crit: [] },
      ].map((header) => access.forge(header)),
    )),
    ...(await Promise.all(["sub", "aud", "iat", "exp"].map((claim) => access.token({ [claim]: undefined })))),
    ...(await Promise.all(
      ["", "a".repeat(129), "a\nb", "a\u202eb", "\udc00", 7].map((sub) => access.token({ sub })),
    )),
  ];
  /** @type {import("node:http").OutgoingHttpHeaders[]} */
  const headers = [
    {},
    ...tokens.map((token) => ({ authorization: `Bearer ${token}` })),
    { authorization: good },
    { authorization: `Basic ${good}` },
    { authorization: `Bearer  ${good} x` },
    { authorization: `Bearer ${good}, Bearer ${good}` },
    { authorization: "Bearer" },
    { authorization: "Bearer \u00e9\u00e9" },
    { Authorization: [`Bearer ${good}`, `Bearer ${good}`] },
  ];
  for (const wrong of headers) {
    const answer = await service.send("/debug/crash", { headers: wrong });
    assert.equal(answer.status, 401, JSON.stringify(wrong));
    assert.equal(answer.headers["www-authenticate"], "Bearer");
    assert.deepEqual(answer.body, { error: "unauthorized", request_id: answer.headers["x-request-id"] });
    assert.equal(answer.headers.ratelimit, undefined);
  }
  for (const right of [
    good,
    await access.token({ aud: ["other", "debug-endpoints"] }),
    await access.forge({}),
  ]) {
    assert.equal(
      (await service.send("/debug", { headers: { authorization: `bearer ${right}` } })).status,
      200,
    );
  }
});

/**
 * See that nobody gets in, which is said once.
 *
 * @param {string} setting
 * @param {number} status
 * @param {Record<string, string>} headers
 * @param {string} why
 */
async function assertClosed(setting, status, headers, why) {
  const before = service.lines.length;
  assert.equal((await service.get("/debug", headers)).status, status, why);
  const last = await service.get("/debug/crash", headers);
  assert.equal(last.status, status, why);
  await service.logged(last.body.request_id);
  const said = service.lines.slice(before).filter(({ message }) => message.startsWith(`${setting} cannot`));
  assert.equal(said.length, 1, why);
}

test("P-256 serves as well, and keys change while the service runs", async (t) => {
  t.after(() => access.trust([access.keys]));
  const curve = await newKeys("ES256");
  const curveHeaders = {
    authorization: `Bearer ${await access.token({}, { keys: curve, header: { kid: "a" } })}`,
  };
  const headers = await access.headers();
  assert.equal((await service.get("/debug", curveHeaders)).status, 401);
  await access.trust([curve, await newKeys("ES256"), access.keys], { kid: "a" });
  assert.equal((await service.get("/debug", curveHeaders)).status, 200);
  assert.equal((await service.get("/debug", headers)).status, 200);
  await access.trust([curve]);
  assert.equal((await service.get("/debug", headers)).status, 401);
  await access.trust([curve], { key_ops: ["sign", "verify"], use: "sig", alg: "ES256", kid: "a" });
  assert.equal((await service.get("/debug", curveHeaders)).status, 200);
});

test("one bad key makes the whole file invalid, which is said once", async (t) => {
  t.after(() => access.trust([access.keys]));
  const headers = await access.headers();
  const bad = [
    { x: "AAAA" },
    { x: undefined },
    { use: "enc" },
    { use: null },
    { key_ops: ["sign"] },
    { key_ops: "verify" },
    { alg: "ES256" },
    { alg: null },
    { kid: 7 },
    { kty: "EC" },
    { crv: "X25519" },
    { d: "AAAA" },
  ];
  const good = await exportJWK(access.keys.publicKey);
  for (const properties of bad) {
    writeFileSync(access.keysFile, JSON.stringify({ keys: [good, { ...good, ...properties }] }));
    await assertClosed("DEBUG_KEYS_FILE", 401, headers, JSON.stringify(properties));
    await access.trust([access.keys]);
    assert.equal((await service.get("/debug", headers)).status, 200);
  }
});

test("only a regular file in UTF-8 is read", async (t) => {
  const headers = await access.headers();
  /** @type {[string, string, number, () => unknown][]} */
  const files = [
    ["DEBUG_FLAGS_FILE", access.flagsFile, 404, () => access.switch({ debug: true })],
    ["DEBUG_KEYS_FILE", access.keysFile, 401, () => access.trust([access.keys])],
  ];
  for (const [setting, path, status, mend] of files) {
    const good = readFileSync(path);
    t.after(mend);
    /** @type {Record<string, () => unknown>} */
    const spoil = {
      "a FIFO": () => execFileSync("mkfifo", [path]),
      "a directory": () => mkdirSync(path),
      "a device": () => symlinkSync("/dev/zero", path),
      "a link to itself": () => symlinkSync(path, path),
      nothing: () => {},
      "no UTF-8": () => writeFileSync(path, good.toString().replace("{", '{"\xff": 1,'), "latin1"),
      "with a byte order mark": () => writeFileSync(path, `\ufeff${good}`),
    };
    for (const [what, put] of Object.entries(spoil)) {
      rmSync(path, { recursive: true });
      put();
      await assertClosed(setting, status, headers, `${setting} is ${what}`);
      rmSync(path, { recursive: true, force: true });
      await mend();
      assert.equal((await service.get("/debug", headers)).status, 200, what);
    }
  }
});

test("each group needs its scope", async () => {
  const needed = {
    "/debug": "debug:read",
    "/debug/crash": "debug:crash",
    "/debug/database-error": "debug:crash",
    "/debug/memory-leak": "debug:load",
  };
  const scopes = ["debug:read", "debug:crash", "debug:load"];
  for (const [path, scope] of Object.entries(needed)) {
    const others = scopes.filter((other) => other !== scope).join(" ");
    for (const insufficient of [others, undefined, `${scope}x`, "debug:*"]) {
      const { status, headers, body } = await service.get(
        path,
        await access.headers({ scope: insufficient, sub: "carol" }),
      );
      assert.equal(status, 403, `${path} ${insufficient}`);
      assert.deepEqual(body, { error: "forbidden", request_id: headers.get("x-request-id") });
      assert.equal(headers.get("ratelimit"), '"debug";r=1000;t=60');
    }
    const { status } = await service.get(path, await access.headers({ scope, sub: "boris" }));
    assert.notEqual(status, 403);
  }
});

test("tricks with the path and the method reach nothing", async () => {
  const headers = {
    ...(await access.headers()),
    "x-http-method-override": "GET",
    "x-original-url": "/debug/crash",
  };
  const paths = [
    "//debug",
    "/debug//crash",
    "/%64ebug",
    "/debug%2fcrash",
    "/DEBUG",
    "/debug/",
    "/debug/crash/",
    "/debug/./crash",
    "/x/../debug",
    "/debug;a=1",
    "/debug/crash%00",
    "/debug/crash.json",
    "/",
  ];
  for (const path of paths) {
    assert.equal((await service.send(path, { headers })).status, 404, path);
  }
  for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]) {
    const answer = await service.send("/debug/crash", { method, headers });
    assert.equal(answer.status, 404, method);
    assert.equal(answer.headers.allow, undefined);
  }
  assert.equal((await service.send("/debug?x=%zz#y", { headers })).status, 200);
});

test("one endpoint of the group load runs as often at a time as is allowed, and again after that", async () => {
  const headers = await access.headers();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => service.get("/debug/event-loop-block?ms=50", headers)),
  );
  const busy = answers.filter(({ status }) => status === 429);
  assert.ok(busy.length >= 1 && busy.length < 8, String(busy.length));
  for (const answer of busy) {
    assert.equal(answer.headers.get("retry-after"), "1");
    assert.equal(answer.body.error, "too many requests");
  }
  assert.equal((await service.get("/debug/event-loop-block?ms=50", headers)).status, 200);
});

test("callers who hang up leave their place to others", async () => {
  const headers = await access.headers();
  await Promise.all(
    Array.from({ length: 10 }, () => service.abandon("/debug/event-loop-block?ms=1", headers)),
  );
  const deadline = performance.now() + 10_000;
  let status = 0;
  while (status !== 200 && performance.now() < deadline) {
    ({ status } = await service.get("/debug/event-loop-block?ms=1", headers));
  }
  assert.equal(status, 200);
});

test("every decision is in the log, and what was allowed in Sentry, without the token", async () => {
  const own = await Service.start({
    ...access.environment,
    SENTRY_DSN: sink.dsn,
    TRUSTED_PROXIES: "192.0.2.0/24, 127.0.0.1",
  });
  const trace = newTrace();
  const token = await access.token({ jti: "ticket-7", scope: "debug:crash" });
  const headers = {
    authorization: `Bearer ${token}`,
    ...trace.headers,
    "x-forwarded-for": "junk, 192.0.2.1",
  };
  const refused = newTrace();
  const crash = await own.get("/debug/crash", headers);
  await own.get("/debug/memory-leak", { ...headers, ...refused.headers });
  await own.get("/debug/crash", refused.headers);
  await own.stop();
  const who = { sub: "anna@ops", jti: "ticket-7", method: "GET" };
  const entries = own.lines.filter(({ message }) => message === "debug.trigger");
  const eventId = sink.events(trace.traceId)[0].event_id;
  const expected = [
    {
      ...who,
      endpoint: "/debug/crash",
      group: "crash",
      from: "192.0.2.1",
      decision: "allowed",
      status: 500,
      event_id: eventId,
    },
    {
      ...who,
      endpoint: "/debug/memory-leak",
      group: "load",
      from: "192.0.2.1",
      decision: "forbidden",
      status: 403,
    },
    {
      method: "GET",
      endpoint: "/debug/crash",
      group: "crash",
      from: "127.0.0.1",
      decision: "unauthorized",
      status: 401,
    },
  ];
  assert.deepEqual(
    entries.map(
      ({ time: _time, level: _level, service: _service, message: _message, request_id: _id, ...rest }) =>
        rest,
    ),
    expected,
  );
  assert.equal(entries[0].request_id, crash.body.request_id);

  const [log, ...more] = sink.parts("log", trace.traceId);
  assert.deepEqual(more, []);
  for (const [name, value] of Object.entries(expected[0])) {
    assert.equal(log.attributes[name === "method" ? "http.request.method" : name].value, value);
  }
  assert.deepEqual(sink.parts("log", refused.traceId), []);
  assert.deepEqual(sink.events(refused.traceId), []);
  const metrics = sink.parts("trace_metric", refused.traceId);
  assert.deepEqual(
    metrics.map(({ name, value, attributes }) => [
      name,
      value,
      attributes.reason.value,
      attributes.endpoint.value,
    ]),
    [
      ["debug.refused", 1, "forbidden", "/debug/memory-leak"],
      ["debug.refused", 1, "unauthorized", "/debug/crash"],
    ],
  );
  const everything = JSON.stringify([own.lines, sink.items]);
  for (const part of token.split(".")) {
    assert.ok(!everything.includes(part));
  }
});

test("the audit believes trusted proxies alone, and only about who connected to them", async (t) => {
  const own = await Service.start({
    ...access.environment,
    HOST: "::",
    TRUSTED_PROXIES: "10.0.0.0/8, 127.0.0.1,::1,",
  });
  t.after(() => own.kill());
  /** @type {[Service, string, string][]} */
  const cases = [
    [service, "192.0.2.1", "127.0.0.1"],
    [own, "192.0.2.1", "192.0.2.1"],
    [own, "192.0.2.1, 2001:db8::7", "2001:db8::7"],
    [own, "192.0.2.1, 127.0.0.1", "127.0.0.1"],
    [own, "::ffff:192.0.2.1", "192.0.2.1"],
    [own, "192.0.2.1, unknown", "127.0.0.1"],
    [own, "192.0.2.1, , 127.0.0.1", "127.0.0.1"],
    [own, "", "127.0.0.1"],
  ];
  for (const [asked, forwarded, from] of cases) {
    const headers = { "x-forwarded-for": forwarded, "x-real-ip": "192.0.2.9" };
    const { body } = await asked.get("/debug", headers);
    // What is logged about the next one comes after all that is about this one.
    await asked.logged((await asked.get("/debug")).body.request_id);
    const entry = asked.lines.find(
      ({ message, request_id }) => message === "debug.trigger" && request_id === body.request_id,
    );
    assert.equal(entry.from, from, forwarded);
  }
});

for (const lifecycle of ["stream", "static"]) {
  test(`a flood of refusals leaves as much in Sentry as twenty do, with traces that are ${lifecycle}`, async () => {
    const own = await Service.start({
      ...access.environment,
      SENTRY_DSN: sink.dsn,
      SENTRY_TRACE_LIFECYCLE: lifecycle,
      DEBUG_RATE_LIMIT: "1/hour",
    });
    const headers = await access.headers();
    const flood = newTrace();
    const before = sink.items.length;
    await own.get("/debug", headers);
    const answers = await Promise.all(
      Array.from({ length: 120 }, () => own.get("/debug", { ...headers, ...flood.headers })),
    );
    assert.ok(answers.every(({ status }) => status === 429));
    const good = newTrace();
    await own.get("/debug/crash", { ...headers, ...good.headers });
    await own.stop();
    assert.equal(sink.parts("trace_metric", flood.traceId).length, 20);
    const transactions = sink.items
      .slice(before)
      .filter(
        ({ type, payload }) => type === "transaction" && payload.contexts.trace.trace_id === flood.traceId,
      );
    assert.equal(transactions.length, lifecycle === "stream" ? 0 : 20);
    // Of each the segment and the handler.
    assert.equal(sink.parts("span", flood.traceId).length, lifecycle === "stream" ? 40 : 0);
    assert.deepEqual(sink.parts("log", flood.traceId), []);
    assert.deepEqual(sink.events(flood.traceId), []);
    assert.equal(sink.events(good.traceId).length, 1);
    assert.ok(!sink.items.slice(before).some(({ type }) => type === "client_report"));
  });
}

test("the refusal that is told again says how many were kept quiet before it", () => {
  const budget = new RefusalBudget();
  const told = Array.from({ length: 25 }, (_, second) => budget.spend(second * 1000));
  assert.deepEqual(told, [...Array(20).fill(0), ...Array(5).fill(undefined)]);
  assert.equal(budget.spend(59_999), undefined);
  assert.equal(budget.spend(60_000), 6);
  assert.equal(budget.spend(60_500), undefined);
  assert.equal(budget.spend(61_000), 1);
});

test("what is switched off leaves the telemetry of an unknown path", async (t) => {
  access.switch({ debug: true, "debug.crash": false });
  t.after(() => access.switch({ debug: true }));
  const own = await Service.start({ ...access.environment, SENTRY_DSN: sink.dsn });
  const headers = await access.headers();
  const paths = ["/debug/crash", "/debug/creak"];
  const traces = paths.map(() => newTrace());
  for (const [number, path] of paths.entries()) {
    await own.get(path, { ...headers, ...traces[number].headers });
  }
  await own.stop();
  const [off, unknown] = traces.map(({ traceId }, number) =>
    sink.parts("span", traceId).map(({ name, attributes }) => ({
      name: name.replace(paths[number], "/path"),
      attributes: Object.keys(attributes).sort(),
    })),
  );
  assert.ok(off.length >= 2, JSON.stringify(off));
  assert.deepEqual(off, unknown);
  for (const path of paths) {
    assert.deepEqual(
      own.lines.filter(({ message }) => message === `GET ${path}`).map(({ status }) => status),
      [404],
    );
  }
});

test("without the variables there is no debug endpoint", async () => {
  const own = await Service.start({});
  const headers = await access.headers();
  for (const path of ["/debug", "/debug/crash"]) {
    assertUnknown(await own.send(path, { headers }), path);
  }
  await own.stop();
});
