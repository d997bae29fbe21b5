// @ts-check
/** The service as a real process. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
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
  #logging = new EventEmitter();

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
    /** @type {any[]} what the service has logged */
    this.lines = [];
  }

  /**
   * Start the service and wait until it listens.
   *
   * @param {Record<string, string>} environment
   * @returns {Promise<Service>}
   */
  static async start(environment) {
    const service = new Service(environment);
    const log = createInterface(service.#process.stdout);
    log.on("line", (line) => {
      service.lines.push(JSON.parse(line));
      service.#logging.emit("line");
    });
    await Promise.race([once(service.#logging, "line"), once(log, "close")]);
    const listening = service.lines.find(({ port }) => port !== undefined);
    if (listening === undefined) {
      const { stderr } = await service.exited();
      throw new Error(`the service did not start: ${stderr}`);
    }
    service.url = `http://127.0.0.1:${listening.port}`;
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

  /**
   * Wait until the log has the line of a request, and with it all lines that were written before.
   *
   * @param {string} requestId
   */
  async logged(requestId) {
    const isThere = () => this.lines.some(({ status, request_id }) => status && request_id === requestId);
    while (!isThere()) await once(this.#logging, "line");
  }

  /** End the process in any case. */
  kill() {
    this.#process.kill("SIGKILL");
  }

  /**
   * Send a request as it is, which fetch would normalise or refuse.
   *
   * @param {string} path
   * @param {{ method?: string, headers?: import("node:http").OutgoingHttpHeaders }} [options]
   * @returns {Promise<{ status: number | undefined, headers: import("node:http").IncomingHttpHeaders, body: any }>}
   */
  async send(path, options) {
    const [response] = await once(request(this.url, { ...options, path }).end(), "response");
    const body = await text(response);
    return { status: response.statusCode, headers: response.headers, body: body && JSON.parse(body) };
  }

  /**
   * Open a connection and write to it.
   *
   * @param {string} bytes as they are, in Latin-1
   * @returns {Promise<import("node:net").Socket>} connected
   */
  async connect(bytes) {
    const socket = connect(Number(new URL(this.url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.on("error", () => {}).write(bytes, "latin1");
    return socket;
  }

  /**
   * @param {string} bytes
   * @returns {Promise<string>} all that comes back until the service hangs up
   */
  async raw(bytes) {
    return text(await this.connect(bytes)).catch(({ code }) => code);
  }

  /**
   * Send a request and hang up before its answer.
   *
   * @param {string} path
   * @param {Record<string, string>} headers
   */
  async abandon(path, headers) {
    const abandoned = request(this.url, { path, headers }).end();
    await once(abandoned, "finish");
    abandoned.on("error", () => {}).destroy();
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
