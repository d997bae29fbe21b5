/** Starts the Sentry SDK in the page. */
import * as Sentry from "@sentry/browser";
import type { Configuration } from "./configuration";

/** Every session that has an error is replayed, from up to a minute before it; the others are not. */
export const REPLAYED_SESSIONS = { onError: 1, always: 0 };
export const TRACES_SAMPLE_RATE = 1;

/**
 * Start the SDK.
 *
 * @param configuration of this deployment; without a DSN nothing is sent
 * @param player whose page it is
 */
export function startInstrumentation({ dsn, release, environment, gatewayUrl }: Configuration, player: string): void {
  Sentry.init({
    ...(dsn !== null && { dsn }),
    ...(release !== null && { release }),
    ...(environment !== null && { environment }),
    integrations: [
      Sentry.browserTracingIntegration({
        // The page says itself when it is complete, and the first click ends the load at the latest.
        enableReportPageLoaded: true,
        // An interaction's span is sent at a time of the browser's choosing, in the trace of whatever is then going on.
        webVitals: { ignore: ["inp"] },
      }),
      Sentry.replayIntegration({
        maskAllText: true,
        maskAllInputs: true,
        blockAllMedia: true,
        // The first error of a page is replayed even when the page is younger than the SDK's five seconds.
        minReplayDuration: 0,
      }),
      Sentry.captureConsoleIntegration({ levels: ["error"] }),
    ],
    tracesSampleRate: TRACES_SAMPLE_RATE,
    tracePropagationTargets: [`${gatewayUrl}/`],
    replaysOnErrorSampleRate: REPLAYED_SESSIONS.onError,
    replaysSessionSampleRate: REPLAYED_SESSIONS.always,
    dataCollection: {
      userInfo: false,
      cookies: false,
      httpBodies: [],
      httpHeaders: false,
      urlQueryParams: false,
    },
    initialScope: {
      tags: { service: "frontend", game: "triple-cherry" },
      user: { id: player, username: "debug-frontend" },
    },
  });
  describeDisplay();
}

function describeDisplay(): void {
  const matches = (query: string) => matchMedia(query).matches;
  Sentry.setContext("display", {
    width: innerWidth,
    height: innerHeight,
    pixel_ratio: devicePixelRatio,
    dark: matches("(prefers-color-scheme: dark)"),
    reduced_motion: matches("(prefers-reduced-motion: reduce)"),
  });
}
