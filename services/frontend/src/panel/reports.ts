/** Finding out which events the page's own SDK has sent, and for which click. */
import * as Sentry from "@sentry/browser";

const PATIENCE_MS = 5000;

/** An event that left the page. */
export interface Report {
  eventId: string;
  /** Whether Sentry has taken it. */
  delivered: boolean;
}

/**
 * Wait for the first event of a trace to be sent.
 *
 * @returns undefined when there is no DSN, or none was sent in time
 */
export function firstReport(traceId: string): Promise<Report | undefined> {
  const client = Sentry.getClient();
  if (client === undefined || !Sentry.isEnabled()) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const finish = (report?: Report) => {
      clearTimeout(impatience);
      stop();
      resolve(report);
    };
    const impatience = setTimeout(finish, PATIENCE_MS);
    const stop = client.on("afterSendEvent", (event, { statusCode }) => {
      if (event.contexts?.trace?.trace_id !== traceId || event.event_id === undefined) return;
      finish({ eventId: event.event_id, delivered: statusCode !== undefined && statusCode < 300 });
    });
  });
}
