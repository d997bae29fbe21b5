// @ts-check
/** Settings from the environment, and one clear message with exit code 2 when one of them is wrong. */

const EXIT_BAD_SETTING = 2;
const HIGHEST_PORT = 65_535;
// The provider's sandbox, in which no money moves, takes any key.
const SANDBOX_API_KEY = "sandbox";
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
 * @throws {BadSetting} a variable is set to something that is not a whole number in its range
 */
export function readSettings(environment) {
  return {
    host: environment.HOST || "127.0.0.1",
    port: readInteger(environment, "PORT", { fallback: 8003, highest: HIGHEST_PORT }),
    openingBalanceCents: readInteger(environment, "OPENING_BALANCE_CENTS", {
      fallback: 100_000,
      highest: 100_000_000,
    }),
    providerApiKey: environment.PAYMENT_PROVIDER_API_KEY?.trim() || SANDBOX_API_KEY,
  };
}

/**
 * Give what `read` gives, or end the process if it finds a bad setting.
 *
 * @template T
 * @param {() => T} read
 * @returns {T}
 */
export function orStop(read) {
  try {
    return read();
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
 * @param {{ fallback: number, highest: number }} bounds
 * @returns {number}
 */
function readInteger(environment, variable, { fallback, highest }) {
  const text = (environment[variable] ?? "").trim();
  if (text === "") {
    return fallback;
  }
  if (!/^\d+$/.test(text) || Number(text) > highest) {
    throw new BadSetting(`${variable} must be a whole number from 0 to ${highest}, not "${text}"`);
  }
  return Number(text);
}
