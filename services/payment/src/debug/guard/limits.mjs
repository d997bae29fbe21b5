// @ts-check
/** How often and how many at once: a rate limit per identity and endpoint, and a cap on what runs at a time. */
import { createHash } from "node:crypto";
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import { writeLog } from "../../http/request-log.mjs";

const REDIS_TIMEOUT_MS = 1000;
const LONGEST_RETRY_MS = 2000;
const PREFIX = "debug-limit:payment";
// The list at KEYS[1] has the times of the requests that count, the latest first; at most ARGV[1] of them within
// ARGV[2] milliseconds. A request is added if there is room and ARGV[3] is 1. Redis's own clock serves all instances.
const MOVING_WINDOW = `
local most, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
while tonumber(redis.call("LINDEX", KEYS[1], -1) or now) <= now - window do redis.call("RPOP", KEYS[1]) end
local count = redis.call("LLEN", KEYS[1])
local room = count < most
if room and ARGV[3] == "1" then
  count = redis.call("LPUSH", KEYS[1], now)
  redis.call("PEXPIRE", KEYS[1], window)
end
return {room and 1 or 0, count, tonumber(redis.call("LINDEX", KEYS[1], -1) or now) + window - now}
`;

/**
 * Where an identity stands at an endpoint.
 *
 * @typedef {object} Standing
 * @property {boolean} within whether this request is within the limit
 * @property {number} remaining requests
 * @property {number} resetSeconds whole seconds until the oldest request counts no more, at least 1
 */

/** @typedef {[room: number | boolean, count: number, resetMs: number]} Count */

/** A moving window, so that its number is exact, over the requests of one identity to one endpoint. */
export class RateLimit {
  #rate;
  #redis;
  #memory = new WindowsInMemory();
  #away = false;

  /**
   * @param {import("../../settings.mjs").Rate} rate
   * @param {import("ioredis").Redis} [redis] shared between instances; in memory without
   */
  constructor(rate, redis) {
    this.#rate = rate;
    this.#redis = redis;
  }

  /**
   * @param {string} endpoint
   * @param {string} sub
   * @param {boolean} counts whether this is a request to count, else a mere look
   * @returns {Promise<Standing>}
   * @throws {Error} Redis does not answer, which is said once in the log
   */
  async ask(endpoint, sub, counts) {
    const { requests, seconds } = this.#rate;
    // A name is not kept in clear in a Redis that others may read.
    const key = `${PREFIX}:${endpoint}:${createHash("sha256").update(sub).digest("base64url")}`;
    const windowMs = seconds * 1000;
    const [room, count, resetMs] = this.#redis
      ? await this.#inTime(this.#redis.eval(MOVING_WINDOW, 1, key, requests, windowMs, Number(counts)))
      : this.#memory.ask(key, requests, windowMs, counts);
    return {
      within: Boolean(room),
      remaining: Math.max(0, requests - count),
      resetSeconds: Math.max(1, Math.ceil(resetMs / 1000)),
    };
  }

  /**
   * @param {Standing} standing
   * @returns {Record<string, string>} headers of draft-ietf-httpapi-ratelimit-headers
   */
  headers({ remaining, resetSeconds }) {
    const { requests, seconds } = this.#rate;
    return {
      "RateLimit-Policy": `"debug";q=${requests};w=${seconds}`,
      RateLimit: `"debug";r=${remaining};t=${resetSeconds}`,
    };
  }

  /**
   * @param {Promise<unknown>} answer of Redis
   * @returns {Promise<Count>}
   * @throws {Error} it does not come in time
   */
  async #inTime(answer) {
    const wait = new AbortController();
    try {
      const count = await Promise.race([answer, passing(REDIS_TIMEOUT_MS, wait.signal)]);
      this.#away = false;
      return /** @type {Count} */ (count);
    } catch (error) {
      if (!this.#away) {
        this.#away = true;
        writeLog("error", "the Redis of DEBUG_LIMITS_URL is away, so every debug endpoint answers 503", {
          reason: error instanceof Error ? error.message : String(error),
        });
      }
      throw error;
    } finally {
      wait.abort();
    }
  }
}

/** The times of the requests that count, by key; what has left its window is forgotten. */
export class WindowsInMemory {
  /** @type {Map<string, number[]>} whose latest request is the oldest comes first */
  #windows = new Map();

  /**
   * @param {string} key
   * @param {number} most requests in a window
   * @param {number} windowMs
   * @param {boolean} counts
   * @param {number} [now] in milliseconds
   * @returns {Count}
   */
  ask(key, most, windowMs, counts, now = performance.now()) {
    for (const [other, times] of this.#windows) {
      if ((times.at(-1) ?? 0) > now - windowMs) break;
      this.#windows.delete(other);
    }
    const times = this.#windows.get(key) ?? [];
    const first = times.findIndex((time) => time > now - windowMs);
    times.splice(0, first === -1 ? times.length : first);
    const room = times.length < most;
    if (room && counts) {
      times.push(now);
      this.#windows.delete(key);
      this.#windows.set(key, times);
    }
    return [room, times.length, (times[0] ?? now) - now + windowMs];
  }
}

/** At most so many of one endpoint at a time in this process. */
export class Concurrency {
  #most;
  /** @type {Map<string, number>} */
  #running = new Map();

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
  }

  /**
   * Take a place until the response is over, however it ends.
   *
   * @param {string} endpoint
   * @param {import("express").Response} response
   * @returns {boolean} whether there was one
   */
  enter(endpoint, response) {
    const running = this.#running.get(endpoint) ?? 0;
    // Whose caller has gone meanwhile, that response is over already.
    if (running >= this.#most || response.closed) return false;
    this.#running.set(endpoint, running + 1);
    response.once("close", () => this.#running.set(endpoint, (this.#running.get(endpoint) ?? 1) - 1));
    return true;
  }
}

/**
 * Connect to Redis, for as long as the process lives: it is tried again whenever it is away, and meanwhile commands
 * fail at once.
 *
 * @param {string} url
 * @returns {Promise<import("ioredis").Redis>} ready, or known to be away
 */
export async function connectRedis(url) {
  const { Redis } = await import("ioredis");
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: REDIS_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(100 * attempt, LONGEST_RETRY_MS),
  });
  // Whoever needs it finds it away; without a listener ioredis writes to the console.
  redis.on("error", () => {});
  const first = new Promise((resolve) => redis.once("ready", resolve).once("error", resolve));
  await Promise.race([first, delay(REDIS_TIMEOUT_MS)]);
  return redis;
}

/**
 * Fail after a time, unless what is waited for has arrived meanwhile: while the event loop was busy nobody took it in.
 *
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
async function passing(milliseconds, signal) {
  await delay(milliseconds, undefined, { signal });
  await setImmediate();
  throw new Error(`it has not answered for ${milliseconds} ms`);
}
