// @ts-check
/** Settings from the environment, and one clear message with exit code 2 when one of them is wrong. */

const EXIT_BAD_SETTING = 2;
const HIGHEST_PORT = 65_535;
const DSN = /^https?:\/\/\w+(:\w+)?@[^/]+\/(.+\/)?\d+$/;

/** An environment variable that the page or its server cannot work with. */
export class BadSetting extends Error {
  name = "BadSetting";
}

/**
 * @typedef {object} Settings
 * @property {string} host address to listen on (HOST)
 * @property {number} port port to listen on, 0 for any free one (PORT)
 * @property {string} gatewayUrl where the page finds the gateway, without a trailing slash (GATEWAY_URL)
 * @property {string | null} dsn where the page sends its telemetry; null: nowhere (SENTRY_DSN)
 * @property {string | null} release (SENTRY_RELEASE)
 * @property {string | null} environment (SENTRY_ENVIRONMENT)
 * @property {string | null} signingKeyFile private key for the panel's tokens, for development only; null: it gets none
 *   (DEBUG_SIGNING_KEY_FILE)
 */

/**
 * Read the settings.
 *
 * @param {NodeJS.ProcessEnv} environment
 * @returns {Settings}
 * @throws {BadSetting} a variable has a value that cannot be used
 */
export function readSettings(environment) {
  const dsn = textOf(environment, "SENTRY_DSN");
  if (dsn !== null && !DSN.test(dsn)) {
    throw new BadSetting(`SENTRY_DSN must be a DSN such as https://key@sentry.example.com/1, not "${dsn}"`);
  }
  return {
    host: textOf(environment, "HOST") ?? "127.0.0.1",
    port: readPort(textOf(environment, "PORT") ?? "8080"),
    gatewayUrl: readUrl(textOf(environment, "GATEWAY_URL") ?? "http://127.0.0.1:8000"),
    dsn,
    release: textOf(environment, "SENTRY_RELEASE"),
    environment: textOf(environment, "SENTRY_ENVIRONMENT"),
    signingKeyFile: textOf(environment, "DEBUG_SIGNING_KEY_FILE"),
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
 * End the process over a setting: one line on stderr, exit code 2.
 *
 * @param {string} problem what is wrong and what would be right
 * @returns {never}
 */
export function stopOverSetting(problem) {
  process.stderr.write(`frontend: ${problem}\n`);
  process.exit(EXIT_BAD_SETTING);
}

/**
 * @param {NodeJS.ProcessEnv} environment
 * @param {string} variable
 * @returns {string | null}
 */
function textOf(environment, variable) {
  return environment[variable]?.trim() || null;
}

/**
 * @param {string} text
 * @returns {number}
 */
function readPort(text) {
  if (!/^\d+$/.test(text) || Number(text) > HIGHEST_PORT) {
    throw new BadSetting(`PORT must be a whole number from 0 to ${HIGHEST_PORT}, not "${text}"`);
  }
  return Number(text);
}

/**
 * @param {string} text
 * @returns {string}
 */
function readUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    throw new BadSetting(`GATEWAY_URL must be a base URL such as http://127.0.0.1:8000, not "${text}"`);
  }
  return url.href.replace(/\/+$/, "");
}
