// @ts-check
/** What stands in front of a debug endpoint: switch, token, scope, rate limit, and a cap on what runs at a time. */
import { requestIdOf } from "../../http/request-log.mjs";
import { BadSetting } from "../../settings.mjs";
import { audit } from "./audit.mjs";
import { openSwitches } from "./flags.mjs";
import { Concurrency, RateLimit, connectRedis } from "./limits.mjs";
import { TokenCheck } from "./tokens.mjs";

/** @type {Record<Guarded["group"], string>} */
const SCOPES = { manifest: "debug:read", crash: "debug:crash", specific: "debug:crash", load: "debug:load" };
/** @type {Record<Exclude<import("./audit.mjs").Decision, "allowed">, { status: number, error: string }>} */
const REFUSALS = {
  unauthorized: { status: 401, error: "unauthorized" },
  forbidden: { status: 403, error: "forbidden" },
  "rate-limited": { status: 429, error: "too many requests" },
  busy: { status: 429, error: "too many requests" },
  unavailable: { status: 503, error: "unavailable" },
};

/**
 * @typedef {object} Guarded
 * @property {string} path
 * @property {"manifest" | "crash" | "load" | "specific"} group
 * @property {string} [scenario] what its own flag is named after
 */

/**
 * @typedef {object} Guard
 * @property {(endpoint: Guarded) => Promise<boolean>} exists whether the endpoint is switched on at this moment
 * @property {(endpoint: Guarded) => import("express").RequestHandler} protect passes on only what may use it
 */

/**
 * @param {import("../../settings.mjs").DebugSettings} settings
 * @returns {Promise<Guard>}
 * @throws {BadSetting} the file of DEBUG_KEYS_FILE cannot be used
 */
export async function openGuard({ flagsFile, keysFile, rate, concurrency, limitsUrl }) {
  const tokens = new TokenCheck(keysFile);
  try {
    tokens.prove();
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new BadSetting(`DEBUG_KEYS_FILE must be a JWKS with public keys: ${message}`);
  }
  const isOn = await openSwitches(flagsFile);
  const limit = new RateLimit(rate, limitsUrl === undefined ? undefined : await connectRedis(limitsUrl));
  const places = new Concurrency(concurrency);

  /**
   * Decide over a request to an endpoint that exists, and set the headers that belong to the decision.
   *
   * @param {Guarded} endpoint
   * @param {import("./tokens.mjs").Identity | undefined} identity
   * @param {import("express").Response} response
   * @returns {Promise<import("./audit.mjs").Decision>}
   */
  async function decide({ path, group }, identity, response) {
    if (identity === undefined) {
      response.set("WWW-Authenticate", "Bearer");
      return "unauthorized";
    }
    const permitted = identity.scopes.includes(SCOPES[group]);
    const standing = await limit.ask(path, identity.sub, permitted).catch(() => undefined);
    if (standing) response.set(limit.headers(standing));
    if (!permitted) return "forbidden";
    if (!standing) return "unavailable";
    if (!standing.within) {
      response.set("Retry-After", String(standing.resetSeconds));
      return "rate-limited";
    }
    if (group === "load" && !places.enter(path, response)) {
      response.set("Retry-After", "1");
      return "busy";
    }
    return "allowed";
  }

  return {
    exists: ({ group, scenario }) =>
      scenario === undefined ? isOn() : isOn(`debug.${group}`, `debug.payment.${scenario}`),
    protect: (endpoint) => async (request, response, next) => {
      const identity = await tokens.identify(request.headersDistinct.authorization ?? []);
      const decision = await decide(endpoint, identity, response);
      audit(decision, endpoint, identity, request, response);
      if (decision === "allowed") {
        next();
        return;
      }
      const { status, error } = REFUSALS[decision];
      response.status(status).json({ error, request_id: requestIdOf(response) });
    },
  };
}
