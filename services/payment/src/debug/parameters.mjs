// @ts-check
/** Query parameters with a ceiling, so that no debug endpoint can take the machine down. */
import { BadRequest } from "../http/bad-request.mjs";

/**
 * A whole number in the query string.
 *
 * @typedef {object} Parameter
 * @property {string} name with the unit as suffix, such as `hold_ms`
 * @property {number} fallback the value when the request does not name it
 * @property {number} lowest
 * @property {number} highest
 */

/**
 * How long a failure waits between its breadcrumbs and the error, so that two requests can overlap.
 *
 * @type {Parameter}
 */
export const HOLD = { name: "hold_ms", fallback: 0, lowest: 0, highest: 2000 };

/**
 * @param {Parameter} parameter
 * @param {import("express").Request["query"]} query
 * @returns {number} the request's value, or the fallback
 * @throws {BadRequest} it is not a whole number within the bounds, or is named twice
 */
export function readParameter({ name, fallback, lowest, highest }, query) {
  const text = query[name];
  if (text === undefined) {
    return fallback;
  }
  if (typeof text !== "string" || !/^\d+$/.test(text) || Number(text) < lowest || Number(text) > highest) {
    throw new BadRequest(
      `parameter ${name} must be a whole number from ${lowest} to ${highest}, not ${JSON.stringify(text)}`,
    );
  }
  return Number(text);
}
