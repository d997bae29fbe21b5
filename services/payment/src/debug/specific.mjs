// @ts-check
/** Debug endpoints for failures that belong to this stack: its database client and its process. */
import * as Sentry from "@sentry/node";
import { loadArchivedTransaction } from "../defects/archive.mjs";
import { Settlements } from "../defects/settlements.mjs";
import { newIdentifier } from "../identifiers.mjs";

/**
 * @returns {import("./registry.mjs").DebugEndpoint[]}
 */
export function specificEndpoints() {
  const settlements = new Settlements();
  return [
    {
      name: "database-error",
      demonstrates: "PostgreSQL refuses the connection; answers 503 and reports the system error",
      status: 503,
      group: "specific",
      tags: { "db.system": "postgresql" },
      run({ origin, afterHold }) {
        const transactionId = newIdentifier("txn");
        Sentry.addBreadcrumb({
          category: "wallet.history",
          message: `Archived transaction ${transactionId} requested`,
          data: { ...origin, transaction_id: transactionId },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "ledger.lookup",
          message: "Not in the ledger, looking in the archive",
          data: { transaction_id: transactionId },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "db.connect",
          message: "Connecting to the archive",
          data: { "db.system": "postgresql", "db.namespace": "ledger_archive" },
          level: "info",
        });
        return afterHold(() => loadArchivedTransaction(transactionId));
      },
    },
    {
      name: "uncaught-exception",
      demonstrates:
        "A timer throws after the answer: the process dies with exit code 1, the event still arrives",
      status: 202,
      group: "specific",
      tags: { currency: "EUR" },
      run({ origin, response, holdMs }) {
        const settlementId = newIdentifier("stl");
        Sentry.addBreadcrumb({
          category: "wallet.session",
          message: "Wallet opened",
          data: { ...origin, currency: "EUR" },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "settlement.request",
          message: `Settlement ${settlementId} opened`,
          data: { settlement_id: settlementId, amount_cents: 40_000 },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "settlement.timer",
          message: "Closing left to a timer",
          data: { settlement_id: settlementId },
          level: "info",
        });
        settlements.open(settlementId, 40_000);
        // Not before the answer is out, so that the death of the process does not take it along.
        response.once("finish", () => settlements.closeLater(settlementId, holdMs));
        response.status(202).json({ status: "accepted", settlement_id: settlementId });
      },
    },
  ];
}
