/** Triggers that fail in the page itself. */
import * as Sentry from "@sentry/browser";
import type { Span } from "@sentry/browser";
import { startAction, traceIdOf } from "../action";
import type { Outcome } from "./log";
import { firstReport } from "./reports";
import type { Trigger } from "./trigger";

/** A way in which the page fails. */
export interface Failure {
  name: string;
  about: string;
  /** What Sentry gets, in a word or two. */
  announced: string;
  /** Fail, or do what will fail soon. */
  fail: (span: Span) => void | Promise<void>;
}

let last: Promise<unknown> = Promise.resolve();

/** The trigger of a failure. */
export function failureTrigger({ name, about, announced, fail }: Failure): Trigger {
  const full = `frontend ${name}`;
  return { name: full, label: name, about, announced, run: () => inTurn(() => provoke(full, name, fail)) };
}

/**
 * One after the other: an error that nobody catches belongs to no scope but the page's, of which there is one.
 */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = last.then(work);
  last = turn.catch(() => undefined);
  return turn;
}

async function provoke(full: string, scenario: string, fail: Failure["fail"]): Promise<Outcome> {
  const span = startAction(full, { "debug.scenario": scenario });
  const traceId = traceIdOf(span);
  Sentry.setActiveSpanInBrowser(span);
  Sentry.setTag("debug.scenario", scenario);
  Sentry.addBreadcrumb({ category: "debug.trigger", message: `${full} triggered`, level: "info" });
  try {
    const reported = firstReport(traceId);
    await fail(span);
    const report = await reported;
    return { ...inWords(report?.delivered), eventId: report?.eventId ?? null, traceId };
  } finally {
    Sentry.setTag("debug.scenario", undefined);
    span.end();
  }
}

function inWords(delivered: boolean | undefined): Pick<Outcome, "asAnnounced" | "text"> {
  if (!Sentry.isEnabled()) return { asAnnounced: false, text: "failed, but no DSN is configured" };
  if (delivered === undefined) return { asAnnounced: false, text: "failed, and the SDK reported nothing" };
  return delivered
    ? { asAnnounced: true, text: "reported to Sentry" }
    : { asAnnounced: false, text: "reported, but Sentry did not take it" };
}
