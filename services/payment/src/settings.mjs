// @ts-check
/** Settings from the environment, and one clear message with exit code 2 when one of them is wrong. */
import { BlockList, isIP } from "node:net";

const EXIT_BAD_SETTING = 2;
const HIGHEST_PORT = 65_535;
// The provider's sandbox, in which no money moves, takes any key.
const SANDBOX_API_KEY = "sandbox";
const RATE = /^([1-9]\d{0,6})\/(second|minute|hour)$/;
/** @type {Record<string, number>} */
const SECONDS = { second: 1, minute: 60, hour: 3600 };
const DSN = /^https?:\/\/\w+(:\w+)?@[^/]+\/(.+\/)?\d+$/;

/** An environment variable that the service cannot work with. */
export class BadSetting extends Error {
  name = "BadSetting";
}

/**
 * @typedef {object} Settings
 * @property {string} host address to listen on
 * @property {number} port port to listen on; 0 means any free port
 * @property {number} openingBalanceCents what a wallet holds when it is used for the first time
 * @property {string} providerApiKey key of the payout provider; secret
 * @property {(address: string) => boolean} isTrustedProxy whether to believe who connects from there for whom it asks
 * @property {DebugSettings} [debug] who may use the debug endpoints; without it there are none
 */

/** @typedef {{ requests: number, seconds: number }} Rate */

/**
 * @typedef {object} DebugSettings
 * @property {string} flagsFile JSON in flagd's format, which says what is switched on
 * @property {string} keysFile JWKS with the public keys of whoever signs tokens
 * @property {Rate} rate requests of one identity to one endpoint
 * @property {number} concurrency how many requests to one endpoint of the group `load` run at a time
 * @property {string} [limitsUrl] Redis that counts for all instances of the service
 */

/**
 * Make sure that the SDK will understand its SENTRY_DSN, which it reads by itself like SENTRY_RELEASE and
 * SENTRY_ENVIRONMENT: with a DSN that it does not understand it would send nothing.
 *
 * @param {NodeJS.ProcessEnv} environment
 * @throws {BadSetting} SENTRY_DSN is set to something else than a DSN
 */
export function checkDsn(environment) {
  const dsn = environment.SENTRY_DSN;
  if (dsn && !DSN.test(dsn)) {
    throw new BadSetting(`SENTRY_DSN must be a DSN such as https://key@sentry.example.com/1, not "${dsn}"`);
  }
}

/**
 * Read the settings of the service itself.
 *
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Settings}
 * @throws {BadSetting} a variable is set to something that cannot be meant
 */
export function readSettings(environment) {
  return {
    host: environment.HOST || "127.0.0.1",
    port: readInteger(environment, "PORT", { lowest: 0, fallback: 8003, highest: HIGHEST_PORT }),
    openingBalanceCents: readInteger(environment, "OPENING_BALANCE_CENTS", {
      lowest: 0,
      fallback: 100_000,
      highest: 100_000_000,
    }),
    providerApiKey: environment.PAYMENT_PROVIDER_API_KEY?.trim() || SANDBOX_API_KEY,
    isTrustedProxy: readTrustedProxies(environment.TRUSTED_PROXIES ?? ""),
    debug: readDebugSettings(environment),
  };
}

/**
 * @param {NodeJS.ProcessEnv} environment
 * @returns {DebugSettings | undefined} undefined without DEBUG_FLAGS_FILE
 * @throws {BadSetting} DEBUG_KEYS_FILE is missing beside it, or one of the limits is none
 */
function readDebugSettings(environment) {
  const rateText = environment.DEBUG_RATE_LIMIT?.trim() || "60/minute";
  const [, requests, unit] = RATE.exec(rateText) ?? [];
  if (unit === undefined) {
    throw new BadSetting(
      `DEBUG_RATE_LIMIT must be a number per second, minute or hour such as 60/minute, not "${rateText}"`,
    );
  }
  const concurrency = readInteger(environment, "DEBUG_CONCURRENCY", {
    lowest: 1,
    fallback: 4,
    highest: 10_000,
  });
  const limitsUrl = environment.DEBUG_LIMITS_URL?.trim() || undefined;
  // What it is instead is not said: it may hold a password.
  if (limitsUrl !== undefined && !(URL.canParse(limitsUrl) && /^rediss?:\/\/[^/]/.test(limitsUrl))) {
    throw new BadSetting("DEBUG_LIMITS_URL must be the URL of a Redis such as redis://127.0.0.1:6379/0");
  }
  const flagsFile = environment.DEBUG_FLAGS_FILE?.trim();
  const keysFile = environment.DEBUG_KEYS_FILE?.trim();
  if (!flagsFile) return undefined;
  if (!keysFile) {
    throw new BadSetting(
      "DEBUG_FLAGS_FILE needs DEBUG_KEYS_FILE, a JWKS with the public keys of whoever signs tokens for the debug " +
        "endpoints; there are none without authentication",
    );
  }
  return {
    flagsFile,
    keysFile,
    rate: { requests: Number(requests), seconds: SECONDS[unit] },
    concurrency,
    limitsUrl,
  };
}

/**
 * @param {string} text addresses and networks, with commas between
 * @returns {(address: string) => boolean}
 * @throws {BadSetting} one of them is neither
 */
function readTrustedProxies(text) {
  const trusted = new BlockList();
  const entries = text.split(",").map((entry) => entry.trim());
  for (const entry of entries.filter(Boolean)) {
    const [, address = "", prefix] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(entry) ?? [];
    const bits = isIP(address) === 6 ? 128 : 32;
    if (!isIP(address) || Number(prefix ?? bits) > bits) {
      throw new BadSetting(
        `TRUSTED_PROXIES must be addresses or networks such as 127.0.0.1,10.0.0.0/8,::1, not "${text}"`,
      );
    }
    trusted.addSubnet(address, Number(prefix ?? bits), bits === 128 ? "ipv6" : "ipv4");
  }
  return (address) => isIP(address) !== 0 && trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/**
 * Give what `read` gives, or end the process if it finds a bad setting.
 *
 * @template T
 * @param {() => T | Promise<T>} read
 * @returns {Promise<T>}
 */
export async function orStop(read) {
  try {
    return await read();
  } catch (error) {
    if (error instanceof BadSetting) stopOverSetting(error.message);
    throw error;
  }
}

/**
 * End the process over a setting, as long as nothing has been served: one line on stderr, exit code 2.
 *
 * @param {string} problem what is wrong and what would be right
 * @returns {never}
 */
export function stopOverSetting(problem) {
  process.stderr.write(`payment: ${problem}\n`);
  process.exit(EXIT_BAD_SETTING);
}

/**
 * @param {NodeJS.ProcessEnv} environment
 * @param {string} variable
 * @param {{ lowest: number, fallback: number, highest: number }} bounds
 * @returns {number}
 */
function readInteger(environment, variable, { lowest, fallback, highest }) {
  const text = (environment[variable] ?? "").trim();
  if (text === "") {
    return fallback;
  }
  if (!/^\d+$/.test(text) || Number(text) < lowest || Number(text) > highest) {
    throw new BadSetting(`${variable} must be a whole number from ${lowest} to ${highest}, not "${text}"`);
  }
  return Number(text);
}
