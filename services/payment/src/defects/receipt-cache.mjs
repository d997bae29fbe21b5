// @ts-check
import { residentMegabytes } from "../runtime-contexts.mjs";

const MEGABYTE = 1024 * 1024;
const MOST_RETAINED_MB = 128;

/**
 * What keeping one more batch did to the process, in MiB. Before, after and growth are resident memory.
 *
 * @typedef {object} Growth
 * @property {number} before_mb
 * @property {number} after_mb
 * @property {number} growth_mb
 * @property {number} retained_mb what the cache holds now
 */

/**
 * Keeps rendered receipts.
 *
 * The defect: nothing is ever evicted. Only at a ceiling, so that the machine survives the demonstration, is
 * everything let go at once.
 */
export class ReceiptCache {
  /** @type {Map<string, Buffer>} */
  #batches = new Map();
  #retainedMegabytes = 0;

  /**
   * Keep one more batch.
   *
   * @param {string} batchId
   * @param {number} megabytes its size
   * @returns {Growth}
   */
  keep(batchId, megabytes) {
    if (this.#retainedMegabytes + megabytes > MOST_RETAINED_MB) {
      this.#batches.clear();
      this.#retainedMegabytes = 0;
    }
    const before = residentMegabytes();
    // Filled, because memory that was never written to is not resident.
    this.#batches.set(batchId, Buffer.alloc(megabytes * MEGABYTE, 1));
    this.#retainedMegabytes += megabytes;
    const after = residentMegabytes();
    return {
      before_mb: before,
      after_mb: after,
      growth_mb: Math.round((after - before) * 100) / 100,
      retained_mb: this.#retainedMegabytes,
    };
  }
}
