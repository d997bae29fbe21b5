// @ts-check

/**
 * Say in an error's message what was being done, and in its stack from where. The error stays itself, class,
 * code and all. Made in a callback of the event loop, it would otherwise not know of the code that waited.
 *
 * @param {unknown} error
 * @param {string} activity such as "netting run net_1"
 * @returns {unknown} the same error, to be thrown again
 */
export function explain(error, activity) {
  if (error instanceof Error) {
    error.message = `${activity}: ${error.message}`;
    const here = { stack: "" };
    Error.captureStackTrace(here, explain);
    error.stack += here.stack.slice(here.stack.indexOf("\n"));
  }
  return error;
}
