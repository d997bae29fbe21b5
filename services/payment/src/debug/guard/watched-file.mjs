// @ts-check
/** A file of settings that may change while the service runs. */
import { readFileSync, statSync } from "node:fs";
import { writeLog } from "../../http/request-log.mjs";

const LARGEST_BYTES = 1024 * 1024;

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
  /** @type {T | undefined} */
  #content;

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
    const signature = this.#sign();
    if (signature !== this.#signature) {
      this.#signature = signature;
      try {
        this.#content = this.load();
      } catch (error) {
        this.#content = undefined;
        writeLog("error", `${this.#purpose} cannot be used, so every debug endpoint is closed`, {
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
    return this.#content;
  }

  /**
   * @returns {T} what the file says
   * @throws {Error} it is missing, unreadable or invalid
   */
  load() {
    if (statSync(this.#path).size > LARGEST_BYTES) {
      throw new Error(`${this.#path} is larger than ${LARGEST_BYTES} bytes`);
    }
    return this.#parse(readFileSync(this.#path, "utf8"));
  }

  /** @returns {string} */
  #sign() {
    const stat = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return stat ? `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}` : "missing";
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
