// @ts-check
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RedisServer } from "./redis.mjs";
import { RateLimit, connectRedis } from "../src/debug/guard/limits.mjs";
import { Service } from "./service.mjs";
import { Access } from "./tokens.mjs";

const LIMIT = 10;
const POLICY = '"debug";q=10;w=3600';

const redis = new RedisServer();
/** @type {Access} */
let access;

before(async () => {
  access = await Access.open();
  await redis.start();
});

after(async () => {
  await redis.stop();
  access.close();
});

/**
 * @param {number} number of services
 * @param {Record<string, string>} [environment]
 */
function start(number, environment = {}) {
  const complete = { ...access.environment, DEBUG_RATE_LIMIT: `${LIMIT}/hour`, ...environment };
  return Promise.all(Array.from({ length: number }, () => Service.start(complete)));
}

/**
 * Send 500 requests at once and see that exactly ten get through.
 *
 * @param {Service[]} services
 * @param {Record<string, string>} headers
 */
async function assertExactlyTen(services, headers) {
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, index) => services[index % services.length].get("/debug", headers)),
  );
  const through = answers.filter(({ status }) => status === 200);
  assert.equal(through.length, LIMIT);
  const remaining = through.map(
    (answer) => answer.headers.get("ratelimit")?.match(/^"debug";r=(\d+);t=\d+$/)?.[1],
  );
  assert.deepEqual(
    remaining.map(Number).sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  for (const answer of answers) {
    assert.equal(answer.headers.get("ratelimit-policy"), POLICY);
    if (answer.status === 200) continue;
    assert.equal(answer.status, 429);
    assert.equal(answer.body.error, "too many requests");
    assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    assert.equal(answer.headers.get("ratelimit"), `"debug";r=0;t=${answer.headers.get("retry-after")}`);
  }
}

test("of 500 requests at once exactly ten get through, for each identity and endpoint", async (t) => {
  const services = await start(1);
  t.after(() => services.forEach((service) => service.kill()));
  await assertExactlyTen(services, await access.headers());
  await assertExactlyTen(services, await access.headers({ sub: "boris" }));
  assert.equal((await services[0].get("/debug/crash", await access.headers())).status, 500);
});

test("two instances on one Redis let exactly ten through together, and show nobody's name", async (t) => {
  const services = await start(2, { DEBUG_LIMITS_URL: redis.url });
  t.after(() => services.forEach((service) => service.kill()));
  await assertExactlyTen(services, await access.headers());
  const { Redis } = await import("ioredis");
  const client = new Redis(redis.url);
  const keys = await client.keys("*");
  client.disconnect();
  assert.equal(keys.length, 1);
  assert.match(keys[0], /^debug-limit:payment:\/debug:[\w-]{43}$/);
});

test("a limit begins anew when its time is over", async (t) => {
  const services = await start(1, { DEBUG_RATE_LIMIT: "1/second" });
  t.after(() => services.forEach((service) => service.kill()));
  const headers = await access.headers();
  const began = performance.now();
  let through = 0;
  while (through < 3) {
    if ((await services[0].get("/debug", headers)).status === 200) through += 1;
  }
  const elapsed = performance.now() - began;
  assert.ok(elapsed > 1900 && elapsed < 6000, String(elapsed));
});

for (const shared of [false, true]) {
  test(`the window moves with time, ${shared ? "in Redis" : "in memory"}`, async (t) => {
    const client = shared ? await connectRedis(redis.url) : undefined;
    t.after(() => client?.disconnect());
    const limit = new RateLimit({ requests: 5, seconds: 1 }, client);
    const began = performance.now();
    /** @param {number} milliseconds */
    const look = async (milliseconds) => {
      let standing = await limit.ask("/x", "anna", false);
      while (performance.now() - began < milliseconds) standing = await limit.ask("/x", "anna", false);
      return standing;
    };
    /** @param {number} times */
    const take = async (times) => {
      const taken = [];
      for (let time = 0; time < times; time += 1) taken.push((await limit.ask("/x", "anna", true)).within);
      return taken;
    };
    assert.deepEqual(await look(0), { within: true, remaining: 5, resetSeconds: 1 });
    assert.deepEqual(await take(1), [true]);
    assert.equal((await look(700)).remaining, 4);
    assert.deepEqual(await take(5), [true, true, true, true, false]);
    assert.equal((await look(1050)).remaining, 1);
    assert.deepEqual(await take(2), [true, false]);
    assert.deepEqual(await limit.ask("/x", "boris", true), { within: true, remaining: 4, resetSeconds: 1 });
    assert.equal((await look(1800)).remaining, 4);
  });
}

test("a Redis is not taken for silent because the service was busy", async (t) => {
  const [service] = await start(1, { DEBUG_LIMITS_URL: redis.url, DEBUG_RATE_LIMIT: "1000/hour" });
  t.after(() => service.kill());
  const headers = await access.headers({ sub: "emma" });
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      service.get(index === 100 ? "/debug/event-loop-block?ms=2000" : "/debug", headers),
    ),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
});

test("a service starts although its Redis is silent, closed, and opens when it speaks", async (t) => {
  redis.freeze();
  t.after(() => redis.thaw());
  const began = performance.now();
  const [service] = await start(1, { DEBUG_LIMITS_URL: redis.url, DEBUG_RATE_LIMIT: "10000/hour" });
  t.after(() => service.kill());
  const headers = await access.headers({ sub: "frida" });
  assert.equal((await service.get("/debug", headers)).status, 503);
  assert.ok(performance.now() - began < 8000);
  redis.thaw();
  const deadline = performance.now() + 15_000;
  let status = 0;
  while (status !== 200 && performance.now() < deadline) ({ status } = await service.get("/debug", headers));
  assert.equal(status, 200);
});

test("without its Redis the service answers 503, says so once, and comes back with it", async (t) => {
  const [service] = await start(1, { DEBUG_LIMITS_URL: redis.url });
  t.after(() => service.kill());
  const headers = await access.headers({ sub: "dora" });
  assert.equal((await service.get("/debug", headers)).status, 200);
  /** @param {number} times */
  const assertAway = async (times) => {
    for (const path of ["/debug", "/debug/crash", "/debug"]) {
      const { status, body } = await service.get(path, headers);
      assert.equal(status, 503);
      assert.equal(body.error, "unavailable");
    }
    assert.equal((await service.get("/debug", await access.headers({ scope: "" }))).status, 403);
    const last = await service.get("/debug");
    assert.equal(last.status, 401);
    await service.logged(last.body.request_id);
    assert.equal(
      service.lines.filter(({ message }) => message.includes("DEBUG_LIMITS_URL is away")).length,
      times,
    );
  };
  const back = async () => {
    const deadline = performance.now() + 15_000;
    let status = 0;
    while (status !== 200 && performance.now() < deadline)
      ({ status } = await service.get("/debug", headers));
    assert.equal(status, 200);
  };
  await redis.stop();
  await assertAway(1);
  assert.equal((await service.get("/balance/anna")).status, 200);
  await redis.start();
  await back();
  redis.freeze();
  await assertAway(2);
  redis.thaw();
  await back();
});

test("a service starts without its Redis, closed", async (t) => {
  const [service] = await start(1, { DEBUG_LIMITS_URL: "redis://:secret-of-redis@127.0.0.1:1/0" });
  t.after(() => service.kill());
  assert.equal((await service.get("/debug", await access.headers())).status, 503);
  assert.ok(!JSON.stringify(service.lines).includes("secret-of-redis"));
});
