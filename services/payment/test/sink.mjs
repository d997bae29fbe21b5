// @ts-check
/** A fake Sentry for the tests: keeps every item of every envelope that is sent to it. */
import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

/**
 * @typedef {object} Item
 * @property {string} type
 * @property {any} payload decoded JSON
 * @property {any} envelope headers of the envelope that it came in
 */

export class Sink {
  /** @type {Item[]} */
  items = [];
  #server = createServer(async (request, response) => {
    const body = await buffer(request);
    this.#keep(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
    response.end("{}");
  });

  /** @returns {Promise<Sink>} */
  static async start() {
    const sink = new Sink();
    sink.#server.listen(0, "127.0.0.1");
    await once(sink.#server, "listening");
    return sink;
  }

  get port() {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) {
      throw new Error("the sink does not listen");
    }
    return address.port;
  }

  get dsn() {
    return `http://key@127.0.0.1:${this.port}/42`;
  }

  /**
   * @param {string} traceId
   * @returns {any[]} the errors and messages of a trace
   */
  events(traceId) {
    return this.#payloads("event").filter((event) => event.contexts.trace.trace_id === traceId);
  }

  /**
   * @param {"span" | "log" | "trace_metric"} type
   * @param {string} traceId
   * @returns {any[]} the parts of the containers that belong to a trace
   */
  parts(type, traceId) {
    return this.#payloads(type)
      .flatMap((container) => container.items)
      .filter((part) => part.trace_id === traceId);
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /**
   * @param {string} type
   * @returns {any[]}
   */
  #payloads(type) {
    return this.items.filter((item) => item.type === type).map((item) => item.payload);
  }

  /**
   * Take an envelope apart. The SDK writes each header and each payload of interest here as a line of JSON.
   *
   * @param {Buffer} body
   */
  #keep(body) {
    const [envelope, ...lines] = body
      .toString()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    for (let index = 0; index < lines.length; index += 2) {
      this.items.push({ type: lines[index].type, payload: lines[index + 1], envelope });
    }
  }
}
