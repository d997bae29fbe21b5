// @ts-check
/** One registration gives a debug endpoint its route, its scope in Sentry and its line in the manifest. */
import { setTimeout as delay } from "node:timers/promises";
import * as Sentry from "@sentry/node";
import express from "express";
import { BadRequest } from "../http/bad-request.mjs";
import { logRequest, requestIdOf } from "../http/request-log.mjs";
import { HOLD, readParameter } from "./parameters.mjs";

const DEBUG_USER_HEADER = "X-Debug-User";
const PLAIN_IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * A request to a debug endpoint, as its code sees it.
 *
 * @typedef {object} Visit
 * @property {string} userId
 * @property {{ user_id: string, request_id: string }} origin whose request it is, for the first breadcrumb
 * @property {import("express").Response} response
 * @property {(parameter: import("./parameters.mjs").Parameter) => number} read the value of a query parameter
 * @property {number} holdMs
 * @property {(action: () => unknown) => unknown} afterHold do it once `holdMs` have passed; at once, in the
 *   same call stack, when there are none
 */

/**
 * @typedef {object} DebugEndpoint
 * @property {string} name last part of its path, and value of the tag `debug.scenario`
 * @property {string} demonstrates one sentence: what it does and what Sentry shall get to see
 * @property {number} status HTTP status of its answer
 * @property {"crash" | "load" | "specific"} group an error of its own making, a load on the process, or a
 *   failure that belongs to this stack
 * @property {Record<string, string>} [tags] for whatever it reports
 * @property {(visit: Visit) => unknown} run
 */

/** @type {import("./guard/guard.mjs").Guarded} */
const MANIFEST = { path: "/debug", group: "manifest" };

/**
 * Make the routes of all endpoints, and `GET /debug` with the manifest of those that are switched on. A request for
 * anything else, or for what is switched off, passes by without a trace of its own. It stands before whatever else
 * handles requests, so that of a refusal no span has ended that the guard might want to keep quiet.
 *
 * @param {readonly DebugEndpoint[]} endpoints
 * @param {import("./guard/guard.mjs").Guard} guard
 * @returns {import("express").RequestHandler}
 */
export function debugEndpoints(endpoints, guard) {
  const router = express.Router();
  /** @type {Map<string, import("./guard/guard.mjs").Guarded>} */
  const guarded = new Map([[MANIFEST.path, MANIFEST]]);
  for (const endpoint of endpoints) {
    const path = pathOf(endpoint);
    const guardedEndpoint = { path, group: endpoint.group, scenario: endpoint.name };
    guarded.set(path, guardedEndpoint);
    router.get(path, logRequest, guard.protect(guardedEndpoint), (request, response) =>
      endpoint.run(beginVisit(endpoint, request, response)),
    );
  }
  router.get(MANIFEST.path, logRequest, guard.protect(MANIFEST), async (_request, response) => {
    const existing = [];
    for (const endpoint of endpoints) {
      const entry = guarded.get(pathOf(endpoint));
      if (entry && (await guard.exists(entry))) existing.push(lineOf(endpoint));
    }
    response.json({ service: "payment", endpoints: existing });
  });
  return async function enterDebugEndpoints(request, response, next) {
    const endpoint = request.method === "GET" ? guarded.get(request.path) : undefined;
    if (endpoint && (await guard.exists(endpoint))) {
      router(request, response, next);
    } else {
      next();
    }
  };
}

/**
 * @param {DebugEndpoint} endpoint
 * @returns {object} its line in the manifest
 */
function lineOf(endpoint) {
  const { demonstrates, status, group } = endpoint;
  return { method: "GET", path: pathOf(endpoint), demonstrates, status, group };
}

/**
 * @param {DebugEndpoint} endpoint
 * @returns {string}
 */
function pathOf({ name }) {
  return `/debug/${name}`;
}

/**
 * Set user and tags for everything that this request will report.
 *
 * @param {DebugEndpoint} endpoint
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 * @returns {Visit}
 */
function beginVisit({ name, tags }, request, response) {
  const userId = request.get(DEBUG_USER_HEADER) ?? "debug-payment-user";
  if (!PLAIN_IDENTIFIER.test(userId)) {
    throw new BadRequest(`header ${DEBUG_USER_HEADER} must be 1 to 64 letters, digits, "-" or "_"`);
  }
  const holdMs = readParameter(HOLD, request.query);
  Sentry.getIsolationScope()
    .setUser({ id: userId, username: "debug-payment" })
    .setTags({ "debug.scenario": name, ...tags });
  return {
    userId,
    origin: { user_id: userId, request_id: requestIdOf(response) },
    response,
    holdMs,
    read: (parameter) => readParameter(parameter, request.query),
    afterHold: (action) => (holdMs === 0 ? action() : delay(holdMs).then(action)),
  };
}
