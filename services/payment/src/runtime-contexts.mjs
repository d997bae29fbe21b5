// @ts-check
/** What the process looked like when something happened: a Sentry integration that adds it to every event. */
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import v8 from "node:v8";
import * as Sentry from "@sentry/node";
import { LoopDelayMonitor } from "./loop-delay.mjs";

const MEGABYTE = 1024 * 1024;
const MOST_THREAD_NAMES = 20;

const expressVersion = createRequire(import.meta.url)("express/package.json").version;

/**
 * @returns {number} resident memory of this process in MiB, as the operating system counts it
 */
export function residentMegabytes() {
  return round(process.memoryUsage.rss() / MEGABYTE);
}

/**
 * Make the integration that adds the `runtime_*`, `v8_heap` and `event_loop` contexts to errors and messages.
 * Contexts that the application has set itself win, value by value. The names keep clear of Sentry's own
 * `runtime`.
 *
 * @returns {import("@sentry/core").Integration}
 */
export function runtimeContextsIntegration() {
  const loopDelay = new LoopDelayMonitor();
  return {
    name: "RuntimeContexts",
    processEvent(event) {
      if (event.type !== undefined) {
        return event;
      }
      const measured = measureRuntime(loopDelay);
      event.contexts ??= {};
      for (const [name, context] of Object.entries(measured)) {
        event.contexts[name] = { ...context, ...event.contexts[name] };
      }
      return event;
    },
  };
}

/**
 * @param {LoopDelayMonitor} loopDelay
 * @returns {Record<string, Record<string, unknown>>} contexts by name
 */
function measureRuntime(loopDelay) {
  const cpu = process.cpuUsage();
  const rss = process.memoryUsage.rss();
  const fromLinux = process.platform === "linux" ? readLinuxProcess() : undefined;
  return {
    runtime_memory: {
      rss_mb: round(rss / MEGABYTE),
      percent: round((100 * rss) / os.totalmem()),
      ...(fromLinux && { vms_mb: fromLinux.virtualMegabytes }),
    },
    runtime_cpu: { user_s: cpu.user / 1e6, system_s: cpu.system / 1e6, system_count: os.cpus().length },
    ...(fromLinux && { runtime_threads: { count: fromLinux.threadCount, names: fromLinux.threadNames } }),
    runtime_versions: {
      node: process.versions.node,
      express: expressVersion,
      sentry_sdk: Sentry.SDK_VERSION,
    },
    v8_heap: { ...v8.getHeapStatistics() },
    event_loop: { ...loopDelay.read() },
  };
}

/**
 * Read what Node does not tell about its own process. Only Linux has it in files.
 *
 * @returns {{ virtualMegabytes: number, threadCount: number, threadNames: string[] }}
 */
function readLinuxProcess() {
  const threads = readdirSync("/proc/self/task");
  const status = readFileSync("/proc/self/status", "latin1");
  return {
    virtualMegabytes: round(Number(/^VmSize:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024),
    threadCount: threads.length,
    threadNames: threads.slice(0, MOST_THREAD_NAMES).map(readThreadName).sort(),
  };
}

/**
 * @param {string} thread
 * @returns {string}
 */
function readThreadName(thread) {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, "latin1").trim();
  } catch {
    // The thread has ended since the folder was listed.
    return "ended";
  }
}

/**
 * @param {number} value
 * @returns {number}
 */
function round(value) {
  return Math.round(value * 100) / 100;
}
