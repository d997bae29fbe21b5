// @ts-check
/** How long the event loop keeps its timers waiting. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";

const BACKGROUND_RESOLUTION_MS = 10;
const BACKGROUND_WINDOW_MS = 10_000;
const CLOSE_RESOLUTION_MS = 1;

/** @typedef {import("node:perf_hooks").IntervalHistogram} IntervalHistogram */

/**
 * Event-loop delay in milliseconds.
 *
 * @typedef {object} LoopDelay
 * @property {number} delay_mean_ms
 * @property {number} delay_max_ms
 * @property {number} delay_p99_ms
 */

/** Measures all the time, in windows of ten seconds: an old stall does not taint what happens later. */
export class LoopDelayMonitor {
  #histogram = monitorEventLoopDelay({ resolution: BACKGROUND_RESOLUTION_MS });
  /** @type {LoopDelay | undefined} */
  #previousWindow;

  constructor() {
    this.#histogram.enable();
    setInterval(() => this.#beginWindow(), BACKGROUND_WINDOW_MS).unref();
  }

  /**
   * @returns {LoopDelay} of the window that is running, its peaks joined with those of the window before
   */
  read() {
    const current = readDelay(this.#histogram, BACKGROUND_RESOLUTION_MS);
    const previous = this.#previousWindow ?? current;
    return {
      delay_mean_ms: current.delay_mean_ms,
      delay_max_ms: Math.max(current.delay_max_ms, previous.delay_max_ms),
      delay_p99_ms: Math.max(current.delay_p99_ms, previous.delay_p99_ms),
    };
  }

  #beginWindow() {
    this.#previousWindow = readDelay(this.#histogram, BACKGROUND_RESOLUTION_MS);
    this.#histogram.reset();
  }
}

/**
 * Do synchronous work and measure how long it kept the event loop from its timers.
 *
 * @param {() => void} work
 * @returns {Promise<LoopDelay>}
 */
export async function measureLoopDelay(work) {
  const histogram = monitorEventLoopDelay({ resolution: CLOSE_RESOLUTION_MS });
  histogram.enable();
  // It records the time since its timer ran last, so the timer has to run before the work and after it.
  await untilRecorded(histogram);
  work();
  await untilRecorded(histogram);
  histogram.disable();
  return readDelay(histogram, CLOSE_RESOLUTION_MS);
}

/**
 * @param {IntervalHistogram} histogram
 */
async function untilRecorded(histogram) {
  const before = histogram.count;
  while (histogram.count === before) {
    await pause(CLOSE_RESOLUTION_MS);
  }
}

/**
 * @param {IntervalHistogram} histogram
 * @param {number} resolutionMs interval of its timer
 * @returns {LoopDelay}
 */
function readDelay(histogram, resolutionMs) {
  return {
    delay_mean_ms: delayMilliseconds(histogram.mean, resolutionMs),
    delay_max_ms: delayMilliseconds(histogram.max, resolutionMs),
    delay_p99_ms: delayMilliseconds(histogram.percentile(99), resolutionMs),
  };
}

/**
 * @param {number} nanoseconds between two runs of the histogram's timer; NaN while it is empty
 * @param {number} resolutionMs what a loop without any delay records
 * @returns {number}
 */
function delayMilliseconds(nanoseconds, resolutionMs) {
  return Number.isNaN(nanoseconds)
    ? 0
    : Math.max(0, Math.round((nanoseconds / 1e6 - resolutionMs) * 100) / 100);
}
