// @ts-check
/** Which debug endpoints exist at this moment: feature flags in a file of flagd's format, through OpenFeature. */
import { ErrorCode, OpenFeature, StandardResolutionReasons } from "@openfeature/server-sdk";
import { WatchedFile, isObject } from "./watched-file.mjs";

/** @typedef {import("@openfeature/server-sdk").Provider} Provider */

const DOMAIN = "debug";
const WHOLE = "debug";

/**
 * Resolves boolean flags from a file, as flagd does without targeting rules. (flagd's own provider brings gRPC along,
 * which is twenty times the rest of this guard.)
 *
 * @implements {Provider}
 */
class FlagFile {
  runsOn = /** @type {const} */ ("server");
  metadata = { name: "flag-file" };
  #file;

  /** @param {WatchedFile<Map<string, boolean>>} file */
  constructor(file) {
    this.#file = file;
  }

  /**
   * @param {string} flag
   * @param {boolean} fallback
   * @returns {Promise<import("@openfeature/server-sdk").ResolutionDetails<boolean>>}
   */
  async resolveBooleanEvaluation(flag, fallback) {
    const flags = this.#file.read();
    if (flags === undefined) {
      // Not as an error, over which the SDK would give the fallback: that may be "on".
      return { value: false, reason: StandardResolutionReasons.DISABLED };
    }
    const value = flags.get(flag);
    return value === undefined
      ? { value: fallback, reason: StandardResolutionReasons.DEFAULT }
      : { value, reason: StandardResolutionReasons.STATIC };
  }

  /** @type {Provider["resolveStringEvaluation"]} */
  async resolveStringEvaluation(_flag, fallback) {
    return onlyBooleans(fallback);
  }

  /** @type {Provider["resolveNumberEvaluation"]} */
  async resolveNumberEvaluation(_flag, fallback) {
    return onlyBooleans(fallback);
  }

  /** @type {Provider["resolveObjectEvaluation"]} */
  async resolveObjectEvaluation(_flag, fallback) {
    return onlyBooleans(fallback);
  }
}

/**
 * Open the switches of the debug endpoints.
 *
 * @param {string} path
 * @returns {Promise<(...flags: string[]) => Promise<boolean>>} whether `debug` is on and none of these flags is off
 */
export async function openSwitches(path) {
  await OpenFeature.setProviderAndWait(
    DOMAIN,
    new FlagFile(new WatchedFile(path, "DEBUG_FLAGS_FILE", parseFlags)),
  );
  const client = OpenFeature.getClient(DOMAIN);
  return async (...flags) => {
    if (!(await client.getBooleanValue(WHOLE, false))) return false;
    for (const flag of flags) {
      if (!(await client.getBooleanValue(flag, true))) return false;
    }
    return true;
  };
}

/**
 * Read the flags that are about debug endpoints. A flag that cannot be understood makes the whole file invalid: to
 * leave it out would switch on what somebody meant to switch off.
 *
 * @param {string} text
 * @returns {Map<string, boolean>} by key
 * @throws {Error} the text is not in flagd's format
 */
function parseFlags(text) {
  const file = JSON.parse(text);
  if (!isObject(file) || !isObject(file.flags)) {
    throw new Error('flags must be an object such as {"flags": {}}');
  }
  const ours = Object.entries(file.flags).filter(([key]) => key === WHOLE || key.startsWith(`${WHOLE}.`));
  return new Map(ours.map(([key, flag]) => [key, defaultOf(key, flag)]));
}

/**
 * @param {string} key
 * @param {unknown} flag
 * @returns {boolean}
 */
function defaultOf(key, flag) {
  if (isObject(flag) && isObject(flag.variants) && typeof flag.defaultVariant === "string") {
    const { state, variants, defaultVariant, targeting = {} } = flag;
    const value = Object.hasOwn(variants, defaultVariant) ? variants[defaultVariant] : undefined;
    const plain = isObject(targeting) && Object.keys(targeting).length === 0;
    if (typeof value === "boolean" && plain && state === "ENABLED") return value;
    if (typeof value === "boolean" && plain && state === "DISABLED") return false;
  }
  throw new Error(
    `flag ${key} must have a state, boolean variants and one of them as defaultVariant, and no targeting`,
  );
}

/**
 * @template T
 * @param {T} value
 * @returns {import("@openfeature/server-sdk").ResolutionDetails<T>}
 */
function onlyBooleans(value) {
  return { value, reason: StandardResolutionReasons.ERROR, errorCode: ErrorCode.TYPE_MISMATCH };
}
