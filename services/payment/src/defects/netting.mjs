// @ts-check
import { explain } from "./explain.mjs";

/** @type {ReadonlyMap<string, string>} the account that an account settles into */
const settlesInto = new Map([
  ["acquirer", "scheme"],
  ["scheme", "clearing"],
  ["clearing", "scheme"],
]);

/**
 * Find the account in which an account's money ends up.
 *
 * The defect: nobody looks whether the accounts form a ring, and these do.
 *
 * @param {string} runId
 * @param {string} account
 * @returns {string}
 * @throws {RangeError} the accounts form a ring: the stack is exhausted
 */
export function settlementAccount(runId, account) {
  try {
    return follow(account);
  } catch (error) {
    throw explain(error, `netting run ${runId}`);
  }
}

/**
 * @param {string} account
 * @returns {string}
 */
function follow(account) {
  const next = settlesInto.get(account);
  return next === undefined ? account : follow(next);
}
