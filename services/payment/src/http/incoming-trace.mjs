// @ts-check
/** Leaves the SDK only such trace headers as it can work with: they come from whoever sends a request. */
import { subscribe } from "node:diagnostics_channel";
import { hideTokens } from "../scrubbing.mjs";

// The limit of the specification (W3C Baggage), and of the SDK for what it sends.
const LONGEST_BAGGAGE = 8192;
const SENTRY_TRACE = /^[ \t]*[0-9a-f]{32}-[0-9a-f]{16}(-[01])?[ \t]*$/;
const MEMBER = /^[ -~]*=[ -~]*$/;
const OF_SENTRY = /^sentry-([a-z_]{1,64})\s*=\s*(.*)$/;
const PRINTABLE = /^\P{C}+$/u;
const DECIMAL = /^\d+(\.\d+)?(e-?\d+)?$/i;
/** @type {Map<string, (value: string) => boolean>} */
const READABLE = new Map([
  ["trace_id", (value) => /^[0-9a-f]{32}$/.test(value)],
  ["sample_rate", (value) => DECIMAL.test(value) && Number(value) <= 1],
  ["sample_rand", (value) => DECIMAL.test(value) && Number(value) < 1],
  ["sampled", (value) => value === "true" || value === "false"],
]);

/** Look at each request before the SDK does; to be called before the SDK is started. */
export function readTraceHeadersStrictly() {
  subscribe("http.server.request.start", (message) => {
    const { headers } = /** @type {{ request: import("node:http").IncomingMessage }} */ (message).request;
    const { "sentry-trace": trace, baggage } = headers;
    if (trace !== undefined && !SENTRY_TRACE.test(String(trace))) delete headers["sentry-trace"];
    if (baggage === undefined) return;
    const kept = readableBaggage(String(baggage));
    if (kept) headers.baggage = kept;
    else delete headers.baggage;
  });
}

/**
 * Sentry's own members stay or go together: with a part of them, a trace would be sampled by two opinions.
 *
 * @param {string} header
 * @returns {string} its members that are printable ASCII without a token, Sentry's only if each of them can be read
 */
export function readableBaggage(header) {
  if (header.length > LONGEST_BAGGAGE) return "";
  const members = header.split(",").map((member) => member.trim());
  const areOursReadable = members.every(
    (member) => !isOfSentry(member) || (mayPass(member) && isReadable(member)),
  );
  return members.filter((member) => mayPass(member) && (areOursReadable || !isOfSentry(member))).join(",");
}

/**
 * @param {string} member
 * @returns {boolean}
 */
function mayPass(member) {
  return MEMBER.test(member) && hideTokens(member) === member;
}

/**
 * @param {string} member
 * @returns {boolean} whether the SDK would take it for one of its own, which may be encoded
 */
function isOfSentry(member) {
  return decode(member).startsWith("sentry-");
}

/**
 * @param {string} member one of Sentry's
 * @returns {boolean}
 */
function isReadable(member) {
  const [, name = "", quoted = ""] = OF_SENTRY.exec(member) ?? [];
  const value = decode(quoted);
  return name !== "" && PRINTABLE.test(value) && (READABLE.get(name)?.(value) ?? true);
}

/**
 * @param {string} text
 * @returns {string} empty if it cannot be decoded
 */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.startsWith("sentry-") ? text : "";
  }
}
