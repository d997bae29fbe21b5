// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { FILTERED, hideTokens, scrub } from "../src/scrubbing.mjs";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";
import { Access } from "./tokens.mjs";

/**
 * @param {string} text
 * @param {(letter: string) => boolean} which
 */
function encode(text, which) {
  return text.replace(/./g, (letter) => (which(letter) ? `%${letter.charCodeAt(0).toString(16)}` : letter));
}

test("a token is known by its form, whole, cut or encoded, and nothing else is", () => {
  const token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln-bmF_0dXJl";
  const forms = [
    token,
    token.slice(0, 12),
    token.replaceAll(".", "%2E"),
    token.replaceAll(".", "%252e"),
    `%65${token.slice(1)}`,
    encode(token, () => true),
    encode(token, () => true).toUpperCase(),
    encode(
      encode(token, () => true),
      (letter) => letter === "%",
    ),
  ];
  for (const form of forms) {
    for (const [before, after] of [
      ["", ""],
      ["Bearer ", " x"],
      ["/a?t=", "&b=1"],
      ["%22", "%22"],
      ["\n", "%20c"],
    ]) {
      assert.equal(hideTokens(before + form + after), before + FILTERED + after, form);
    }
  }
  for (const text of ["eyJ", "eyJabc", "keyjhbGciOiJFZERTQSJ9", "%65%79 x", "order_txn_0d7212c7.json", ""]) {
    assert.equal(hideTokens(text), text);
  }
  const bytes = new Uint8Array([1]);
  assert.deepEqual(scrub({ [token]: [token, 1, null, true, { a: `x ${token}` }], bytes }), {
    [FILTERED]: [FILTERED, 1, null, true, { a: `x ${FILTERED}` }],
    bytes,
  });
});

for (const lifecycle of ["stream", "static"]) {
  test(`no token is sent, logged or answered, wherever it stands, with traces that are ${lifecycle}`, async (t) => {
    const sink = await Sink.start();
    const access = await Access.open();
    const service = await Service.start({
      ...access.environment,
      SENTRY_DSN: sink.dsn,
      SENTRY_TRACE_LIFECYCLE: lifecycle,
    });
    t.after(() => {
      service.kill();
      sink.close();
      access.close();
    });
    const good = await access.token();
    const forms = [
      good,
      good.replaceAll(".", "%2E"),
      `%65${good.slice(1)}`,
      encode(good, (letter) => letter !== "%"),
    ];
    const answers = [];
    const plain = newTrace();
    for (const form of forms) {
      const traces = [newTrace(), newTrace(), newTrace(), newTrace()];
      const headers = (/** @type {import("./service.mjs").Trace} */ { traceId, spanId }) =>
        [
          `Host: ${form}`,
          `sentry-trace: ${traceId}-${spanId}-1`,
          `baggage: sentry-trace_id=${traceId},sentry-release=${form},sentry-x${form}=1,shop=${form},${form}=1`,
          `Authorization: Bearer ${good}`,
          ...[
            "User-Agent",
            "X-Forwarded-Host",
            "Cookie",
            "Accept",
            "Content-Type",
            "X-Debug-User",
            "Referer",
          ].map((name) => `${name}: ${form}`),
          `X-Request-Id: ${form.split(".")[0].slice(0, 60)}`,
          "Connection: close\r\n\r\n",
        ].join("\r\n");
      const targets = [
        `GET /debug/crash?hold_ms=1&t=${form}`,
        `GET /balance/${form}?${form}`,
        `GET /balance/${form}%zz`,
        `DELETE /${form}`,
      ];
      for (const [number, target] of targets.entries()) {
        answers.push(await service.raw(`${target} HTTP/1.1\r\n${headers(traces[number])}`));
      }
      const crash = { authorization: `Bearer ${good}`, ...plain.headers, "user-agent": form };
      assert.equal((await service.get(`/debug/crash?t=${form}`, crash)).status, 500);
      assert.equal((await service.get(`/debug/memory-leak?t=${form}`, crash)).status, 200);
    }
    assert.equal((await service.stop()).code, 0);
    assert.equal(sink.events(plain.traceId).length, 2 * forms.length);
    const kinds = new Set(sink.items.map(({ type }) => type));
    for (const kind of ["event", "log", "trace_metric", lifecycle === "stream" ? "span" : "transaction"]) {
      assert.ok(kinds.has(kind), kind);
    }
    const bodies = answers.map((answer) => answer.split("\r\n\r\n")[1]);
    for (const [where, seen] of Object.entries({
      sent: sink.items,
      logged: service.lines,
      answered: bodies,
    })) {
      const text = JSON.stringify(seen);
      for (const part of forms.flatMap((form) => [form, ...form.split("."), form.slice(0, 24)])) {
        const at = text.indexOf(part);
        assert.equal(at, -1, `${where}: ${text.slice(Math.max(0, at - 200), at + 40)}`);
      }
      assert.ok(text.includes(FILTERED) || where === "answered", where);
    }
  });
}
