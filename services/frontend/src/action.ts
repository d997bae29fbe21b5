/** A click and everything that it causes: a trace of its own, with the click as its root. */
import * as Sentry from "@sentry/browser";

/** Begin a trace for a click; whoever begins it ends the span. */
export function startAction(name: string, attributes: Record<string, string> = {}): Sentry.Span {
  // Whatever the page still loads belongs to the page load, which is over when somebody uses the page.
  Sentry.reportPageLoaded();
  return Sentry.startNewTrace(() => Sentry.startInactiveSpan({ name, op: "ui.action.click", attributes }));
}

/** Id of the trace that a span belongs to. */
export function traceIdOf(span: Sentry.Span): string {
  return span.spanContext().traceId;
}

/**
 * Do something synchronously inside a span.
 *
 * In a browser the SDK keeps its scopes on one stack, and an asynchronous callback would leave its scope there for
 * whatever else happens meanwhile. So a scope is entered only for as long as nothing else can run; a request that is
 * started there stays in its trace.
 */
export function inside<T>(span: Sentry.Span, work: () => T): T {
  let result: { value: T } | undefined;
  Sentry.withActiveSpan(span, () => {
    result = { value: work() };
  });
  return result!.value;
}
