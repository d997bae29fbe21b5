// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { PayoutProvider } from "../src/defects/payouts.mjs";
import { Service, newTrace } from "./service.mjs";
import { Sink } from "./sink.mjs";
import { Access } from "./tokens.mjs";

const PLAYER_ADDRESS = "203.0.113.9";
const API_KEY = "provider-key-7d1f0c";
/** What a request carries that nobody but the service may see, by header. */
const secrets = {
  authorization: "Bearer 5f0c7a91",
  cookie: "theme=9b1e33aa; session=77aa01bc",
  "x-api-key": "k-77ab41de",
  "x-card-number": "4242 4242 4242 4242",
  "x-customer-email": "ada@players.example",
  "x-forwarded-for": PLAYER_ADDRESS,
  "x-loyalty-tier": "gold-of-tomorrow",
};
/** Where a trigger comes from is part of its audit; where a player comes from is nobody's business. */
const ADMIN_ADDRESS = "192.0.2.44";
const fragments = [
  API_KEY,
  ...Object.values(secrets).flatMap((value) =>
    value.split(/; /).flatMap((part) => part.split("=").at(-1) ?? []),
  ),
];

/** @type {Sink} */
let sink;
const failed = newTrace();
const refused = newTrace();
const booked = newTrace();

before(async () => {
  sink = await Sink.start();
  const access = await Access.open();
  const { authorization } = await access.headers();
  fragments.push(authorization, ...authorization.replace("Bearer ", "").split("."));
  const service = await Service.start({
    ...access.environment,
    SENTRY_DSN: sink.dsn,
    PAYMENT_PROVIDER_API_KEY: API_KEY,
  });
  try {
    const headers = { ...secrets, "user-agent": "terminal/7", "x-request-id": "req-7" };
    const admin = { ...headers, authorization, "x-forwarded-for": ADMIN_ADDRESS };
    await service.get("/debug/crash", { ...failed.headers, ...admin });
    await service.get("/debug/async-error", { ...refused.headers, ...admin });
    await service.get("/debug/crash", headers);
    const debit = { player_id: "anna", type: "debit", amount_cents: 1, currency: "EUR", reference: "one" };
    await service.post("/process", debit, { ...booked.headers, ...headers });
    await service.stop();
  } finally {
    service.kill();
    access.close();
  }
});

after(() => sink.close());

test("nothing that a request carries in confidence is sent, in no item of any kind", () => {
  const kinds = new Set(sink.items.map(({ type }) => type));
  assert.deepEqual([...kinds].sort(), ["event", "log", "span", "trace_metric"]);
  for (const { type, payload } of sink.items) {
    const sent = JSON.stringify(payload);
    for (const fragment of fragments) {
      assert.ok(!sent.includes(fragment), `${fragment} is in ${type} ${sent}`);
    }
  }
});

test("headers that help are still shown, and the others at least by name", () => {
  const [event] = sink.events(failed.traceId);
  assert.equal(event.request.headers["user-agent"], "terminal/7");
  assert.equal(event.request.headers["x-request-id"], "req-7");
  assert.equal(event.request.headers["x-card-number"], "[Filtered]");
  assert.equal(event.request.cookies, undefined);
  const segment = sink.parts("span", failed.traceId).find(({ is_segment }) => is_segment);
  assert.deepEqual(segment.attributes["http.request.header.user-agent"].value, ["terminal/7"]);
  assert.deepEqual(segment.attributes["http.request.header.x-card-number"].value, ["[Filtered]"]);
});

test("an error names its request in a tag and in the first breadcrumb", () => {
  const [event] = sink.events(failed.traceId);
  assert.equal(event.tags.request_id, "req-7");
  assert.equal(event.breadcrumbs[0].data.request_id, "req-7");
});

test("a payout is signed with the provider's key, which shows nowhere", async () => {
  const payout = { id: "pyo_1", playerId: "anna", amountCents: 100 };
  const provider = new PayoutProvider(API_KEY);
  const signature = await provider.request(payout);
  assert.match(signature, /^[0-9a-f]{64}$/);
  assert.equal(await provider.request(payout), signature);
  assert.notEqual(await provider.request({ ...payout, amountCents: 101 }), signature);
  assert.notEqual(await new PayoutProvider("another key").request(payout), signature);
  assert.ok(!(inspect(provider, { showHidden: true }) + JSON.stringify(provider)).includes(API_KEY));
});
