// @ts-check
/** Takes tokens out of whatever leaves the service, by their form: nobody knows into which field one gets next. */
import * as Sentry from "@sentry/node";

export const FILTERED = "[Filtered]";

// A JWT (RFC 7519) is letters, digits, "-", "_" and ".", each as it is or percent-encoded, be it more than once. Its
// first part begins with `eyJ`, the Base64 of `{"`, and so does, unless it is encrypted, the second.
const START = "(?:e|%(?:25)*65)(?:y|%(?:25)*79)(?:J|%(?:25)*4[aA])";
const LETTER = "(?:[\\w-]|%(?:25)*(?:2[dD]|3\\d|4[1-9a-fA-F]|5[\\daAfF]|6[1-9a-fA-F]|7[\\daA]))";
const TOKEN = new RegExp(`${START}${LETTER}{8,}(?:(?:\\.|%(?:25)*2[eE])${LETTER}*)*`, "g");

/**
 * @param {string} text
 * @returns {string} the text without JWTs, whole ones or what is left of one
 */
export function hideTokens(text) {
  return text.replace(TOKEN, FILTERED);
}

/**
 * @template T
 * @param {T} value JSON to be
 * @returns {T} the same without tokens in its texts and keys
 */
export function scrub(value) {
  return /** @type {T} */ (scrubbed(value));
}

/**
 * The SDK's transport, with one place for all that is sent: envelope headers and items of every kind.
 *
 * @param {Parameters<typeof Sentry.makeNodeTransport>[0]} options
 * @returns {ReturnType<typeof Sentry.makeNodeTransport>}
 */
export function makeScrubbingTransport(options) {
  const transport = Sentry.makeNodeTransport(options);
  return { ...transport, send: (envelope) => transport.send(scrub(envelope)) };
}

/**
 * @param {unknown} value
 * @returns {unknown}
 */
function scrubbed(value) {
  if (typeof value === "string") return hideTokens(value);
  if (Array.isArray(value)) return value.map(scrubbed);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [hideTokens(key), scrubbed(inner)]));
}
