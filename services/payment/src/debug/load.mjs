// @ts-check
/** Debug endpoints that put a bounded load on the process and report what it did to it. */
import * as Sentry from "@sentry/node";
import { sealJournalPage } from "../defects/journal-seal.mjs";
import { ReceiptCache } from "../defects/receipt-cache.mjs";
import { nameEvent } from "../http/event-id.mjs";
import { newIdentifier } from "../identifiers.mjs";
import { measureLoopDelay } from "../loop-delay.mjs";

/** @type {import("./parameters.mjs").Parameter} */
const LEAK_SIZE = { name: "mb", fallback: 4, lowest: 1, highest: 32 };
/** @type {import("./parameters.mjs").Parameter} */
const BLOCK_TIME = { name: "ms", fallback: 300, lowest: 1, highest: 2000 };

/**
 * @returns {import("./registry.mjs").DebugEndpoint[]}
 */
export function loadEndpoints() {
  const cache = new ReceiptCache();
  return [
    {
      name: "memory-leak",
      demonstrates:
        "A cache without eviction keeps ?mb= more at each call; reports the process's growth as a message",
      status: 200,
      group: "load",
      run({ origin, response, read }) {
        const megabytes = read(LEAK_SIZE);
        const batchId = newIdentifier("rcb");
        Sentry.addBreadcrumb({
          category: "wallet.history",
          message: "Receipts of the month requested",
          data: { ...origin, size_mb: megabytes },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "receipt.render",
          message: `Receipts rendered as batch ${batchId}`,
          data: { batch_id: batchId },
          level: "info",
        });
        const growth = cache.keep(batchId, megabytes);
        Sentry.addBreadcrumb({
          category: "cache.growth",
          message: `Cache holds ${growth.retained_mb} MB`,
          data: { batch_id: batchId, retained_mb: growth.retained_mb },
          level: "warning",
        });
        Sentry.metrics.gauge("payment.receipt_cache.retained", growth.retained_mb, { unit: "megabyte" });
        Sentry.metrics.distribution("payment.receipt_cache.growth", growth.growth_mb, { unit: "megabyte" });
        Sentry.captureMessage(`Receipt cache grew by ${megabytes} MB with batch ${batchId}`, {
          level: "warning",
          contexts: { memory_leak: { ...growth } },
        });
        nameEvent(response);
        response.json({ status: "reported", batch_id: batchId, ...growth });
      },
    },
    {
      name: "event-loop-block",
      demonstrates:
        "Synchronous work blocks the event loop for ?ms=; reports the measured delay as a message",
      status: 200,
      group: "load",
      async run({ origin, response, read }) {
        const milliseconds = read(BLOCK_TIME);
        const pageId = newIdentifier("jrn");
        Sentry.addBreadcrumb({
          category: "wallet.audit",
          message: "Audit of the journal requested",
          data: { ...origin },
          level: "info",
        });
        Sentry.addBreadcrumb({
          category: "journal.seal",
          message: `Sealing journal page ${pageId} on the event loop`,
          data: { page_id: pageId, for_ms: milliseconds },
          level: "warning",
        });
        const delay = await measureLoopDelay(() => sealJournalPage(pageId, milliseconds));
        Sentry.addBreadcrumb({
          category: "event_loop.delay",
          message: `The event loop stood still for ${delay.delay_max_ms} ms`,
          data: { delay_max_ms: delay.delay_max_ms },
          level: "warning",
        });
        Sentry.metrics.distribution("payment.event_loop.delay", delay.delay_max_ms, { unit: "millisecond" });
        Sentry.captureMessage(
          `Event loop blocked for ${Math.round(delay.delay_max_ms)} ms while sealing journal page ${pageId}`,
          { level: "warning", contexts: { event_loop: { requested_ms: milliseconds, ...delay } } },
        );
        nameEvent(response);
        response.json({ status: "reported", page_id: pageId, requested_ms: milliseconds, ...delay });
      },
    },
  ];
}
