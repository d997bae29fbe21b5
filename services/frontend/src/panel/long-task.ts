/** Blocking the page, measured by the browser and reported. */
import * as Sentry from "@sentry/browser";
import { newIdentifier } from "../identifiers";
import { STRIP } from "../slot/strip";

const BLOCKED_MS = 250;
// Long animation frames are what the SDK itself observes where the browser has them.
const OBSERVED = ["long-animation-frame", "longtask"].find((type) =>
  PerformanceObserver.supportedEntryTypes.includes(type),
);

/** Block the page for a quarter of a second, and report what that was by the browser's own measure. */
export async function blockPage(): Promise<void> {
  const simulation = newIdentifier("sim");
  Sentry.addBreadcrumb({ category: "slot.simulate", message: `Simulation ${simulation} begun on the main thread` });
  const measured = nextLongTask();
  const began = performance.now();
  let rounds = 0;
  let wins = 0;
  while (performance.now() - began < BLOCKED_MS) {
    const [first, second, third] = [drawSymbol(), drawSymbol(), drawSymbol()];
    rounds += 1;
    if (first === second && second === third) wins += 1;
  }
  const ownMeasure = performance.now() - began;
  const duration = Math.round((await measured) ?? ownMeasure);
  Sentry.captureMessage(`Simulation ${simulation} blocked the page for ${duration} ms`, {
    level: "warning",
    contexts: { long_task: { duration_ms: duration, rounds, wins, observed_as: OBSERVED ?? "not observed" } },
  });
}

function drawSymbol(): string | undefined {
  return STRIP[Math.floor(Math.random() * STRIP.length)];
}

/** How long the page was blocked, in milliseconds; undefined where the browser does not tell. */
function nextLongTask(): Promise<number | undefined> {
  if (OBSERVED === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const observer = new PerformanceObserver((list) => {
      const long = list.getEntries().find((entry) => entry.duration >= BLOCKED_MS);
      if (long === undefined) return;
      observer.disconnect();
      resolve(long.duration);
    });
    observer.observe({ type: OBSERVED });
  });
}
