// @ts-check
import { createHash } from "node:crypto";

/**
 * Seal a page of the journal with a chain of hashes.
 *
 * The defect: the chain is computed in one go on the event loop, so no other request is served meanwhile.
 *
 * @param {string} pageId
 * @param {number} milliseconds how long to go on hashing
 * @returns {string} the seal
 */
export function sealJournalPage(pageId, milliseconds) {
  const end = performance.now() + milliseconds;
  let seal = pageId;
  while (performance.now() < end) {
    seal = createHash("sha256").update(seal).digest("hex");
  }
  return seal;
}
