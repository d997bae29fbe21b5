// @ts-check
/** The service as a real process. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

const DIRECTORY = new URL("..", import.meta.url);

/**
 * A trace that a test starts and the service continues.
 *
 * @typedef {object} Trace
 * @property {string} traceId
 * @property {string} spanId
 * @property {Record<string, string>} headers
 */

/** @returns {Trace} */
export function newTrace() {
  const traceId = randomBytes(16).toString("hex");
  const spanId = randomBytes(8).toString("hex");
  const baggage = `sentry-trace_id=${traceId},sentry-public_key=front,sentry-sampled=true`;
  return { traceId, spanId, headers: { "sentry-trace": `${traceId}-${spanId}-1`, baggage } };
}

export class Service {
  #process;
  #exit;
  #stderr;

  /**
   * @param {Record<string, string>} environment added to that of the tests, of which SENTRY_* is left out
   */
  constructor(environment) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SENTRY_"));
    this.#process = spawn(process.execPath, ["--import", "./instrument.mjs", "server.mjs"], {
      cwd: DIRECTORY,
      env: { ...Object.fromEntries(inherited), PORT: "0", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#exit = once(this.#process, "exit");
    this.#stderr = text(this.#process.stderr);
    this.url = "";
  }

  /**
   * Start the service and wait until it listens.
   *
   * @param {Record<string, string>} environment
   * @returns {Promise<Service>}
   */
  static async start(environment) {
    const service = new Service(environment);
    for await (const line of createInterface(service.#process.stdout)) {
      service.url = `http://127.0.0.1:${JSON.parse(line).port}`;
      break;
    }
    if (service.url === "") {
      const { stderr } = await service.exited();
      throw new Error(`the service did not start: ${stderr}`);
    }
    service.#process.stdout.resume();
    return service;
  }

  /** @returns {Promise<{ code: number | null, stderr: string }>} once the process has ended */
  async exited() {
    const [code] = await this.#exit;
    return { code, stderr: await this.#stderr };
  }

  /** End the process as an orchestrator does, after which it has sent whatever it had to send. */
  async stop() {
    this.#process.kill("SIGTERM");
    return this.exited();
  }

  /** End the process in any case. */
  kill() {
    this.#process.kill("SIGKILL");
  }

  /**
   * @param {string} path
   * @param {Record<string, string>} [headers]
   */
  async get(path, headers = {}) {
    return answerOf(await fetch(this.url + path, { headers }));
  }

  /**
   * @param {string} path
   * @param {unknown} body JSON to be, or a string as it is
   * @param {Record<string, string>} [headers]
   */
  async post(path, body, headers = {}) {
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(this.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: sent,
    });
    return answerOf(response);
  }
}

/**
 * @param {globalThis.Response} response
 * @returns {Promise<{ status: number, headers: Headers, body: any }>}
 */
async function answerOf(response) {
  return { status: response.status, headers: response.headers, body: await response.json() };
}
