// @ts-check
/** Leaves the SDK only such trace headers as it can work with: they come from whoever sends a request. */
import { subscribe } from "node:diagnostics_channel";
import { hideTokens } from "../scrubbing.mjs";

// The limit of the specification (W3C Baggage), and of the SDK for what it sends.
const LONGEST_BAGGAGE = 8192;
const SENTRY_TRACE = /^[ \t]*[0-9a-f]{32}-[0-9a-f]{16}(-[01])?[ \t]*$/;
const SENTRY_KEY = /^sentry-(\w{1,64})$/;
const PRINTABLE = /^[^\p{C}]+$/u;
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
 * @param {string} header
 * @returns {string} its members without those of Sentry that cannot be read or are there twice, and without tokens
 */
export function readableBaggage(header) {
  const seen = new Set();
  let length = 0;
  const kept = header.split(",").filter((member) => {
    length += member.length + 1;
    if (length > LONGEST_BAGGAGE || hideTokens(member) !== member) return false;
    const [key, value] = read(member);
    if (!key.startsWith("sentry-")) return true;
    const name = SENTRY_KEY.exec(key)?.[1];
    const isReadable = name !== undefined && PRINTABLE.test(value) && (READABLE.get(name)?.(value) ?? true);
    if (!isReadable || seen.has(name)) return false;
    seen.add(name);
    return true;
  });
  return kept.join(",");
}

/**
 * @param {string} member
 * @returns {[string, string]} key and value, decoded; a value that cannot be is empty
 */
function read(member) {
  const [key, ...value] = member.split("=").map((part) => part.trim());
  return [decode(key) ?? key, decode(value.join("=")) ?? ""];
}

/**
 * @param {string} text
 * @returns {string | undefined}
 */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
