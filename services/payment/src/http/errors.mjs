// @ts-check
/** Errors as JSON: what the caller did wrong in words, what went wrong here without details. */
import { hideTokens } from "../scrubbing.mjs";
import { nameEvent } from "./event-id.mjs";
import { requestIdOf } from "./request-log.mjs";
import { statusOf } from "./status.mjs";

/**
 * Answer an error that a handler threw or rejected with. Express knows it by its four parameters.
 *
 * @param {unknown} error
 * @param {import("express").Request} _request
 * @param {import("express").Response} response
 * @param {import("express").NextFunction} next
 */
export function answerError(error, _request, response, next) {
  if (response.headersSent) {
    next(error);
    return;
  }
  const status = statusOf(error);
  if (status >= 500) {
    nameEvent(response);
  }
  response.status(status).json({ error: wordsFor(status, error), request_id: requestIdOf(response) });
}

/**
 * Answer a request that no route has taken.
 *
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 */
export function answerNotFound(request, response) {
  response.status(404).json({
    error: hideTokens(`there is no ${request.method} ${request.path}`),
    request_id: requestIdOf(response),
  });
}

/**
 * @param {number} status
 * @param {unknown} error
 * @returns {string}
 */
function wordsFor(status, error) {
  if (status < 500 && error instanceof Error) return hideTokens(error.message);
  return status === 503 ? "a service behind payment is unavailable" : "payment failed to answer this request";
}
