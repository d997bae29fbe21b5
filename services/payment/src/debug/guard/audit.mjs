// @ts-check
/** What is told of each decision: a line in the log, and to Sentry as much as a flood of refusals leaves room for. */
import { AsyncResource } from "node:async_hooks";
import { isIP } from "node:net";
import * as Sentry from "@sentry/node";
import { requestIdOf, writeLog } from "../../http/request-log.mjs";

const WINDOW_MS = 60_000;
const MOST_TOLD = 20;

/** @typedef {"allowed" | "unauthorized" | "forbidden" | "rate-limited" | "busy" | "unavailable"} Decision */
/** @typedef {{ path: string, group: string }} Target */

/** The most recent refusals that Sentry got to hear of, and how many it did not since. */
export class RefusalBudget {
  /** @type {number[]} */
  #told = [];
  #suppressed = 0;

  /**
   * @param {number} now in milliseconds
   * @returns {number | undefined} how many were kept quiet before this one; undefined: so is this one
   */
  spend(now) {
    this.#told = this.#told.filter((time) => now - time < WINDOW_MS);
    if (this.#told.length >= MOST_TOLD) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#told.push(now);
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}

const budget = new RefusalBudget();

/**
 * Record a decision once its request has been answered, and a refusal in Sentry at once.
 *
 * @param {Decision} decision
 * @param {Target} endpoint
 * @param {import("./tokens.mjs").Identity | undefined} identity
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 */
export function audit(decision, endpoint, identity, request, response) {
  const from = addressOf(request);
  const record = AsyncResource.bind(() => {
    const entry = {
      ...(identity && { sub: identity.sub, jti: identity.jti }),
      method: request.method,
      endpoint: endpoint.path,
      group: endpoint.group,
      from,
      decision,
      status: response.statusCode,
      event_id: response.getHeader("X-Sentry-Event-Id"),
      request_id: requestIdOf(response),
    };
    writeLog(decision === "allowed" ? "info" : "warning", "debug.trigger", entry);
    if (decision === "allowed") {
      const { method, ...others } = entry;
      // By the name that Sentry's conventions have for it.
      Sentry.logger.info("debug.trigger", { "http.request.method": method, ...others });
    }
  });
  if (response.closed) {
    record();
  } else {
    response.once("finish", record);
    response.once("close", () => {
      if (!response.writableFinished) record();
    });
  }
  if (decision !== "allowed") tellRefusal(decision, endpoint);
}

/**
 * @param {Decision} reason
 * @param {Target} endpoint
 */
function tellRefusal(reason, { path }) {
  const suppressed = budget.spend(performance.now());
  if (suppressed === undefined) {
    keepQuiet();
    return;
  }
  const data = { reason, endpoint: path, suppressed };
  Sentry.addBreadcrumb({
    category: "debug.refused",
    message: "Debug endpoint refused",
    data,
    level: "warning",
  });
  Sentry.metrics.count("debug.refused", 1, { attributes: data });
}

/**
 * Take back that the trace of this request is sampled. The SDK decides that before anybody knows who asks, and has no
 * way of its own to change it; none of the spans has ended yet, so none has been sent.
 */
function keepQuiet() {
  const span = Sentry.getActiveSpan();
  if (span === undefined) return;
  for (const part of Sentry.getSpanDescendants(Sentry.getRootSpan(span))) {
    Object.assign(part, { _sampled: false });
  }
}

/**
 * @param {import("express").Request} request
 * @returns {string | undefined} the address that a trusted proxy saw, else the one that connected
 */
function addressOf({ ip = "", socket }) {
  const address = isIP(ip) ? ip : socket.remoteAddress;
  // How a server that listens on IPv6 sees who came by IPv4.
  return address?.replace(/^::ffff:(?=[\d.]+$)/i, "");
}
