// @ts-check
import { randomBytes } from "node:crypto";

/**
 * Make a fresh identifier such as `txn_3f9a12c4`.
 *
 * @param {string} prefix what it identifies
 * @returns {string}
 */
export function newIdentifier(prefix) {
  return `${prefix}_${randomBytes(4).toString("hex")}`;
}
