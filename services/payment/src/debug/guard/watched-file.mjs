// @ts-check
/** A file of settings that may change while the service runs. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { writeLog } from "../../http/request-log.mjs";

const LARGEST_BYTES = 1024 * 1024;
// The longest that a file system's clock stands still: what is written twice meanwhile looks like written once.
const TICK_MS = 2000;
// What begins with a byte order mark is refused as well, like everything else that is no JSON.
const UTF_8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What a file says at this moment. Each look costs a `stat`, so that a switch that is thrown counts from the next
 * request on; a watcher would miss a file that is mounted anew.
 *
 * @template T
 */
export class WatchedFile {
  #path;
  #purpose;
  #parse;
  #signature = "";
  #uncertainUntil = 0;
  /** @type {T | undefined} */
  #content;
  /** @type {string | undefined} */
  #problem;

  /**
   * @param {string} path
   * @param {string} purpose name of the setting that names the file, for the log
   * @param {(text: string) => T} parse throws an error with a message for the log
   */
  constructor(path, purpose, parse) {
    this.#path = path;
    this.#purpose = purpose;
    this.#parse = parse;
  }

  /**
   * @returns {T | undefined} undefined while the file cannot be used, which is said once in the log
   */
  read() {
    const { signature, changedAt } = this.#sign();
    if (signature !== this.#signature || Date.now() < this.#uncertainUntil) {
      if (signature !== this.#signature) this.#problem = undefined;
      this.#signature = signature;
      this.#uncertainUntil = changedAt + TICK_MS;
      try {
        this.#content = this.load();
        this.#problem = undefined;
      } catch (error) {
        this.#content = undefined;
        this.#sayOnce(error instanceof Error ? error.message : String(error));
      }
    }
    return this.#content;
  }

  /** @param {string} problem */
  #sayOnce(problem) {
    if (problem === this.#problem) return;
    this.#problem = problem;
    writeLog("error", `${this.#purpose} cannot be used, so every debug endpoint is closed`, { reason: problem });
  }

  /**
   * @returns {T} what the file says
   * @throws {Error} it is missing, unreadable or invalid
   */
  load() {
    // Opening a FIFO would wait for somebody who writes to it.
    const file = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(file);
      if (!stat.isFile()) throw new Error(`${this.#path} is no regular file`);
      if (stat.size > LARGEST_BYTES) throw new Error(`${this.#path} is larger than ${LARGEST_BYTES} bytes`);
      return this.#parse(UTF_8.decode(readFileSync(file)));
    } finally {
      closeSync(file);
    }
  }

  /** @returns {{ signature: string, changedAt: number }} */
  #sign() {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = statSync(this.#path, { bigint: true });
      return { signature: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, changedAt: Number(ctimeMs) };
    } catch (error) {
      return { signature: String(error), changedAt: 0 };
    }
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
