// @ts-check
/** What only a socket can send. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { readableBaggage } from "../src/http/incoming-trace.mjs";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";
import { Access } from "./tokens.mjs";

const ANNOUNCED =
  "POST /process HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n";
const HALF = "GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ";

/** @type {Sink} */
let sink;
/** @type {Access} */
let access;
/** @type {Service} */
let service;

before(async () => {
  sink = await Sink.start();
  access = await Access.open();
});

beforeEach(async () => {
  sink.items.length = 0;
  service = await Service.start({ ...access.environment, SENTRY_DSN: sink.dsn });
});

afterEach(() => service.kill());

after(() => {
  sink.close();
  access.close();
});

/** See that the service still answers, ends well, and has reported no error. */
async function assertUnimpressed() {
  assert.equal((await service.get("/health")).status, 200);
  const { code, stderr } = await service.stop();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.deepEqual(
    sink.items.filter(({ type }) => type === "event").map(({ payload }) => payload.exception),
    [],
  );
}

test("trace headers that cannot be read are no error, and their members reach nobody", async () => {
  const values = [
    "inf",
    "Infinity",
    "1e999",
    "nan",
    "NaN",
    "-1",
    "1.5",
    "garbage",
    "0x1",
    "%",
    "%00",
    "\xff",
    "",
    "1_0",
    "%31",
  ];
  const baggages = [
    ...values.map((value) => `sentry-sample_rate=${value}`),
    ...[...values, "1"].map((value) => `sentry-sample_rand=${value}`),
    ...["garbage", "%", "1"].flatMap((value) => [`sentry-sampled=${value}`, `sentry-trace_id=${value}`]),
    `sentry-release=${"a".repeat(9000)}`,
    `sentry-${"a".repeat(65)}=1`,
    "sentry-release=%c3%28,sentry-%zz=1,=,,=;,sentry-=1",
    "sentry-__proto__=1,sentry-constructor=1,__proto__=1",
    "%73entry-sample_rate=inf,sentry%2Dsample_rand=nan",
    "sentry-sample_rate=0.5,sentry-sample_rate=inf",
  ];
  const traces = baggages.map(() => newTrace());
  for (const [number, baggage] of baggages.entries()) {
    const trace = `sentry-trace: ${traces[number].traceId}-${traces[number].spanId}-1`;
    const answer = await service.raw(
      `GET /balance/anna HTTP/1.1\r\nHost: a\r\n${trace}\r\nbaggage: shop=1,${baggage}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 200 /, baggage);
  }
  const garbage = [
    "",
    "-",
    "x",
    "0".repeat(32),
    `${"0".repeat(32)}-${"0".repeat(16)}-7`,
    "\xff",
    "a".repeat(9000),
  ];
  for (const trace of garbage) {
    const answer = await service.raw(
      `GET /balance/anna HTTP/1.1\r\nHost: a\r\nsentry-trace: ${trace}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 200 /, trace);
  }
  await assertUnimpressed();
  const own = ["public_key", "trace_id", "environment", "org_id"];
  // The SDK keeps 64 envelopes waiting at most, and each of these traces is one.
  for (const { traceId } of traces) {
    const [{ envelope }] = sink.items.filter(({ payload }) => JSON.stringify(payload).includes(traceId));
    for (const [name, value] of Object.entries(envelope.trace ?? {})) {
      if (name === "sample_rate" || name === "sample_rand") assert.match(value, /^(0|1|0\.\d+)$/, name);
      else if (name === "sampled") assert.match(value, /^(true|false)$/);
      else assert.ok(own.includes(name), `${name}=${value}`);
    }
  }
  assert.ok(!/NaN|Infinity|1e999/.test(JSON.stringify(sink.items)));
});

test("members of baggage that are not Sentry's are kept, and Sentry's that can be read", () => {
  const good =
    "shop=1;secure, sentry-trace_id=0123456789abcdef0123456789abcdef,sentry-sample_rate=1e-7,sentry-sample_rand=0.25," +
    "sentry-sampled=true,sentry-transaction=%C3%A9t%C3%A9,sentry-release=a%3Db,b=%zz";
  assert.equal(readableBaggage(good), good.replace(" ", ""));
  const bad = [
    "sentry-sample_rate=inf",
    "sentry-sample_rand=1",
    "sentry-sampled=1",
    "sentry-release=%zz",
    "sentry-release=\xe9",
    "sentry-release=%00",
    "sentry-%zz=1",
    "sentry-toString=1",
    "%73entry-sample_rate=inf",
    "%73entry-sample_rate=1",
    "sentry-sample_rate=1,sentry-sample_rate=inf",
    "sentry-release=eyJhbGciOiJFZERTQSJ9",
  ];
  for (const member of bad) {
    assert.equal(readableBaggage(`a=1,sentry-trace_id=${"0".repeat(32)},${member},b=2`), "a=1,b=2", member);
  }
  assert.equal(readableBaggage("a=1,c,\xe9=\xe9,,b=2"), "a=1,b=2");
  assert.equal(readableBaggage(`a=1,b=${"x".repeat(8200)}`), "");
  assert.equal(readableBaggage("a=eyJhbGciOiJFZERTQSJ9,b=2,c=%65yJhbGciOiJFZERTQSJ9"), "b=2");
});

test("a token in the trailers does not count, and crashes nothing", async () => {
  const chunked = "Host: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";
  const token = await access.token();
  const trailers = [
    `Authorization: Bearer ${token}`,
    `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}`,
    "Host: b\r\nX: y",
  ];
  for (const trailer of trailers) {
    for (const announced of ["", "Trailer: Authorization\r\n"]) {
      const end = `${chunked}${announced}\r\n0\r\n${trailer}\r\n\r\n`;
      assert.match(await service.raw(`GET /debug HTTP/1.1\r\n${end}`), /^HTTP\/1\.1 401 /);
      const answer = await service.raw(`GET /debug HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n${end}`);
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.match(await service.raw(`POST /process HTTP/1.1\r\n${end}`), /^HTTP\/1\.1 4\d\d /);
    }
  }
  await assertUnimpressed();
});

test("odd methods and malformed requests are no errors", async () => {
  const methods = ["CONNECT", "TRACE", "PROPFIND", "M-SEARCH", "QUERY", "get", "GETT", "\xff", "PRI"];
  const requests = [
    ...methods.map((method) => `${method} /debug/crash HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    "\0\x01\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
    "GET http://[ HTTP/1.0\r\n\r\n",
    "GET http:// HTTP/1.0\r\n\r\n",
    "GET //:0:0/x HTTP/1.0\r\n\r\n",
    "GET /balance/%zz HTTP/1.0\r\n\r\n",
    "GET /x HTTP/1.0\r\nHost: a b:[\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nNo Colon\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET /x HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nConnection: close\r\n\r\n",
    "GET /debug HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
    `GET /x HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(20_000)}\r\n\r\n`,
    `POST /process HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
  ];
  for (const bytes of requests) {
    const answer = await service.raw(bytes);
    assert.match(answer, /^($|ECONNRESET$|HTTP\/1\.1 (4\d\d|505) )/, JSON.stringify(bytes.slice(0, 80)));
  }
  await assertUnimpressed();
});

test("who sends slowly or nothing is disconnected, and others are served meanwhile", async () => {
  const began = performance.now();
  const slow = await Promise.all(
    ["", HALF, ANNOUNCED, ANNOUNCED.replace("POST /process", "GET /debug/crash")].flatMap((bytes) =>
      Array.from({ length: 100 }, () => service.connect(bytes)),
    ),
  );
  const over = slow.map((socket) => once(socket.resume(), "close"));
  assert.equal((await service.get("/balance/anna")).status, 200);
  await Promise.all(over);
  const elapsed = performance.now() - began;
  assert.ok(elapsed < 20_000, String(elapsed));
  await assertUnimpressed();
});

test("who sends slowly or nothing does not hold up the end of the service", async () => {
  const sockets = await Promise.all(
    ["", HALF, ANNOUNCED].flatMap((bytes) => Array.from({ length: 300 }, () => service.connect(bytes))),
  );
  for (const socket of sockets) socket.resume();
  assert.equal((await service.get("/health")).status, 200);
  const began = performance.now();
  const { code } = await service.stop();
  assert.equal(code, 0);
  const elapsed = performance.now() - began;
  assert.ok(elapsed < 3000, String(elapsed));
});
