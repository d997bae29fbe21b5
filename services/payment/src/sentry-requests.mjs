// @ts-check
/** Requests of the SDK to Sentry that end: by itself the SDK waits for an answer for as long as it takes. */
import http from "node:http";
import https from "node:https";

// The SDK has 64 requests under way at most and drops what comes beyond them. If none of them ended, as when Sentry's
// load balancer takes connections and nobody answers, it would be silent for as long as the process lives.
const ANSWER_MS = 5000;

/**
 * Node's `http` or `https`, as an option of the SDK's transport, with a time limit on each request.
 *
 * @param {number} [milliseconds] from the request's making, the wait for a free connection included, to the answer's end
 */
export function impatientHttp(milliseconds = ANSWER_MS) {
  return {
    /**
     * @param {import("node:https").RequestOptions | string | URL} options
     * @param {(answer: import("node:http").IncomingMessage) => void} [onAnswer]
     * @returns {import("node:http").ClientRequest}
     */
    request(options, onAnswer) {
      if (typeof options === "string" || options instanceof URL) {
        throw new TypeError("the transport gives options, and no URL beside them");
      }
      const { request } = options.protocol === "https:" ? https : http;
      return request({ ...options, signal: AbortSignal.timeout(milliseconds) }, onAnswer);
    },
  };
}
