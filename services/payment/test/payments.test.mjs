// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";

/** @type {Sink} */
let sink;
/** @type {Service} */
let service;

before(async () => {
  sink = await Sink.start();
  service = await Service.start({ SENTRY_DSN: sink.dsn, OPENING_BALANCE_CENTS: "1000" });
});

after(() => {
  service.kill();
  sink.close();
});

const debit = { player_id: "anna", type: "debit", amount_cents: 300, currency: "EUR", reference: "bet-1" };

test("payments move the balance, and each reference is booked once", async () => {
  const first = await service.post("/process", debit);
  assert.equal(first.status, 200);
  assert.match(first.body.transaction_id, /^txn_[0-9a-f]{8}$/);
  assert.deepEqual(first.body, { ...debit, ...first.body, balance_cents: 700, replayed: false });

  const again = await service.post("/process", debit);
  assert.deepEqual(again.body, { ...first.body, replayed: true });

  const credit = await service.post("/process", {
    ...debit,
    type: "credit",
    amount_cents: 50,
    reference: "win-1",
  });
  assert.equal(credit.body.balance_cents, 750);
  assert.deepEqual((await service.get("/balance/anna")).body, {
    player_id: "anna",
    currency: "EUR",
    balance_cents: 750,
  });
  assert.equal((await service.get("/balance/nobody")).body.balance_cents, 1000);
});

test("a payment that cannot be booked is refused in words and changes nothing", async () => {
  const player = { ...debit, player_id: "carol", reference: "carol-1" };
  await service.post("/process", player);
  const refusals = [
    [402, /holds 700 cents, 701 are needed/, { ...player, amount_cents: 701, reference: "carol-2" }],
    [409, /was used for a different payment/, { ...player, amount_cents: 301 }],
    [422, /is in EUR, not in USD/, { ...player, currency: "USD", reference: "carol-3" }],
    [422, /^amount_cents must be a whole number/, { ...player, amount_cents: 1.5 }],
    [422, /^amount_cents must be a whole number/, { ...player, amount_cents: "300" }],
    [422, /^amount_cents must be a whole number/, { ...player, amount_cents: -1 }],
    [422, /^type must be .*; currency must be /, { ...player, type: "refund", currency: "XXX" }],
    [422, /^player_id must be /, { ...player, player_id: "a b" }],
    [422, /^a payment is a JSON object/, []],
    [400, /JSON/, "{not json"],
  ];
  for (const [status, words, body] of refusals) {
    const answer = await service.post("/process", body, { "x-request-id": "my-request" });
    assert.equal(answer.status, status, JSON.stringify(body));
    assert.match(answer.body.error, /** @type {RegExp} */ (words));
    assert.equal(answer.body.request_id, "my-request");
    assert.equal(answer.headers.get("x-sentry-event-id"), null);
  }
  assert.equal((await service.get("/balance/carol")).body.balance_cents, 700);
  assert.equal((await service.get("/nowhere")).status, 404);
});

test("a booking and a refusal are told to Sentry as span, log and metrics, and as no error", async () => {
  const booked = newTrace();
  const refused = newTrace();
  const player = { ...debit, player_id: "dora", reference: "dora-1" };
  const { body } = await service.post("/process", player, booked.headers);
  await service.post("/process", { ...player, amount_cents: 5000, reference: "dora-2" }, refused.headers);
  assert.equal((await service.stop()).code, 0);

  const span = sink.parts("span", booked.traceId).find(({ name }) => name === "ledger.book");
  assert.equal(span.attributes["sentry.op"].value, "ledger.book");
  assert.equal(span.attributes["payment.reference"].value, "dora-1");
  const segment = sink.parts("span", booked.traceId).find(({ is_segment }) => is_segment);
  assert.equal(segment.name, "POST /process");
  assert.equal(segment.parent_span_id, booked.spanId);

  const [log, ...moreLogs] = sink.parts("log", booked.traceId);
  assert.deepEqual(moreLogs, []);
  assert.equal(log.level, "info");
  assert.equal(log.body, `booked debit of 300 cents as ${body.transaction_id}`);
  assert.equal(log.attributes["user.id"].value, "dora");
  assert.deepEqual(
    sink.parts("trace_metric", booked.traceId).map(({ name, type, value }) => ({ name, type, value })),
    [
      { name: "payment.bookings", type: "counter", value: 1 },
      { name: "payment.amount", type: "distribution", value: 300 },
    ],
  );

  const [warning] = sink.parts("log", refused.traceId);
  assert.equal(warning.level, "warn");
  assert.equal(warning.attributes["payment.balance_cents"].value, 700);
  assert.deepEqual(
    sink.parts("trace_metric", refused.traceId).map(({ name }) => name),
    ["payment.refusals"],
  );
  assert.equal(
    sink.items.some(({ type }) => type === "event"),
    false,
  );
});
