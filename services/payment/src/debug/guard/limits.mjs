// @ts-check
/** How often and how many at once: a rate limit per identity and endpoint, and a cap on what runs at a time. */
import { createHash } from "node:crypto";
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { writeLog } from "../../http/request-log.mjs";

const REDIS_TIMEOUT_MS = 1000;
const LONGEST_RETRY_MS = 2000;

/**
 * Where an identity stands at an endpoint.
 *
 * @typedef {object} Standing
 * @property {boolean} within whether this request is within the limit
 * @property {number} remaining requests
 * @property {number} resetSeconds whole seconds until the limit begins anew, at least 1
 */

export class RateLimit {
  /** @type {import("rate-limiter-flexible").RateLimiterAbstract} */
  #limiter;
  #rate;
  #away = false;

  /**
   * @param {import("../../settings.mjs").Rate} rate
   * @param {import("ioredis").Redis} [redis] shared between instances; in memory without
   */
  constructor(rate, redis) {
    this.#rate = rate;
    const limits = { points: rate.requests, duration: rate.seconds, keyPrefix: "debug-limit:payment" };
    this.#limiter = redis
      ? new RateLimiterRedis({ ...limits, storeClient: redis, rejectIfRedisNotReady: true })
      : new RateLimiterMemory(limits);
  }

  /**
   * Count a request.
   *
   * @param {string} endpoint
   * @param {string} sub
   * @returns {Promise<Standing>}
   * @throws {Error} Redis does not answer
   */
  async take(endpoint, sub) {
    const result = await this.#ask(() => this.#limiter.consume(keyOf(endpoint, sub)));
    return this.#standing(result);
  }

  /**
   * Look at the count without counting.
   *
   * @param {string} endpoint
   * @param {string} sub
   * @returns {Promise<Standing>}
   * @throws {Error} Redis does not answer
   */
  async look(endpoint, sub) {
    const result = await this.#ask(() => this.#limiter.get(keyOf(endpoint, sub)));
    return result === null
      ? { within: true, remaining: this.#rate.requests, resetSeconds: this.#rate.seconds }
      : this.#standing(result);
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
   * @template T
   * @param {() => Promise<T>} question
   * @returns {Promise<T | RateLimiterRes>} the answer, be it within the limit or not
   * @throws {Error} Redis does not answer, which is said once in the log
   */
  async #ask(question) {
    try {
      const answer = await question().catch((refusal) => {
        if (refusal instanceof RateLimiterRes) return refusal;
        throw refusal;
      });
      this.#away = false;
      return answer;
    } catch (error) {
      if (!this.#away) {
        this.#away = true;
        writeLog("error", "the Redis of DEBUG_LIMITS_URL is away, so every debug endpoint answers 503", {
          reason: error instanceof Error ? error.message : String(error),
        });
      }
      throw error;
    }
  }

  /**
   * @param {RateLimiterRes} result
   * @returns {Standing}
   */
  #standing({ consumedPoints, remainingPoints, msBeforeNext }) {
    return {
      within: consumedPoints <= this.#rate.requests,
      remaining: remainingPoints,
      resetSeconds: Math.max(1, Math.ceil(msBeforeNext / 1000)),
    };
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
    commandTimeout: REDIS_TIMEOUT_MS,
    connectTimeout: REDIS_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(100 * attempt, LONGEST_RETRY_MS),
  });
  // Whoever needs it finds it away; without a listener ioredis writes to the console.
  redis.on("error", () => {});
  const first = new Promise((resolve) => redis.once("ready", resolve).once("error", resolve));
  await first;
  return redis;
}

/**
 * @param {string} endpoint
 * @param {string} sub not kept in clear in a Redis that others may read
 * @returns {string}
 */
function keyOf(endpoint, sub) {
  return `${endpoint}:${createHash("sha256").update(sub).digest("base64url")}`;
}
