// @ts-check
/** One line of JSON on stdout for each request, and the request id that joins it with the answer. */
import * as Sentry from "@sentry/node";
import { newIdentifier } from "../identifiers.mjs";
import { hideTokens, scrub } from "../scrubbing.mjs";

export const REQUEST_ID_HEADER = "X-Request-Id";
const PLAIN_IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Write a line of the service's log.
 *
 * @param {"info" | "warning" | "error"} level
 * @param {string} message
 * @param {Record<string, unknown>} [data]
 */
export function writeLog(level, message, data = {}) {
  const line = { time: new Date().toISOString(), level, service: "payment", message, ...data };
  process.stdout.write(`${JSON.stringify(scrub(line))}\n`);
}

/**
 * Name the request, in its answer and in whatever it reports, and log it when it has been answered.
 *
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 * @param {import("express").NextFunction} next
 */
export function logRequest(request, response, next) {
  const began = performance.now();
  const fromCaller = hideTokens(request.get(REQUEST_ID_HEADER) ?? "");
  const requestId = PLAIN_IDENTIFIER.test(fromCaller) ? fromCaller : newIdentifier("req");
  response.locals.requestId = requestId;
  response.setHeader(REQUEST_ID_HEADER, requestId);
  Sentry.getIsolationScope().setTag("request_id", requestId);
  const traceId = Sentry.getActiveSpan()?.spanContext().traceId;
  response.once("finish", () => {
    writeLog(response.statusCode < 500 ? "info" : "error", `${request.method} ${request.path}`, {
      status: response.statusCode,
      duration_ms: Math.round(performance.now() - began),
      request_id: requestId,
      trace_id: traceId,
    });
  });
  next();
}

/**
 * @param {import("express").Response} response
 * @returns {string} the id of the request that this answers
 */
export function requestIdOf(response) {
  return response.locals.requestId;
}
