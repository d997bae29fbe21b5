// @ts-check
import pg from "pg";
import { explain } from "./explain.mjs";

const archive = {
  host: "127.0.0.1",
  // The defect: port 1 (tcpmux), on which nothing listens, stands for a database that is down.
  port: 1,
  database: "ledger_archive",
  user: "payment",
  connectionTimeoutMillis: 1000,
};

/**
 * Read a transaction that is too old for the ledger.
 *
 * @param {string} transactionId
 * @returns {Promise<unknown>} its row
 * @throws {Error} the system's error, with `code`, when the archive cannot be reached
 */
export async function loadArchivedTransaction(transactionId) {
  const client = new pg.Client(archive);
  await connect(client, `archived transaction ${transactionId}`);
  try {
    const found = await client.query("SELECT * FROM transactions WHERE id = $1", [transactionId]);
    return found.rows[0];
  } finally {
    await client.end();
  }
}

/**
 * @param {pg.Client} client
 * @param {string} activity what it is connected for
 */
async function connect(client, activity) {
  try {
    await client.connect();
  } catch (error) {
    throw explain(error, activity);
  }
}
