/** Requests to the gateway, each inside the trace of the click that causes it. */
import type { Span } from "@sentry/browser";
import { inside } from "./action";

const PATIENCE_MS = 30_000;

/** An answer, with what it tells about telemetry. */
export interface Answer {
  status: number;
  /** The decoded JSON body; undefined when it is no JSON. */
  body: unknown;
  /** The event that the service has reported, if it says so. */
  eventId: string | null;
  /** How many seconds to wait before the next request, if the service says so. */
  retryAfter: number | null;
}

export interface Request {
  method?: string;
  json?: unknown;
  headers?: Record<string, string>;
}

/** No answer came: the gateway is down, refuses this page's origin, or took too long. */
export class NoAnswer extends Error {
  override name = "NoAnswer";
}

/** The path at the gateway under which a service is found; the gateway is found at its root. */
export function pathOf(service: string, path: string): string {
  return service === "gateway" ? path : `/api/v1/${service}${path}`;
}

/** The gateway, as this page reaches it. */
export class Gateway {
  constructor(readonly url: string) {}

  /**
   * Send a request and read its answer.
   *
   * @param path at the gateway
   * @param span of the click; without one the page load is the cause
   * @throws {NoAnswer}
   */
  async ask(path: string, { method = "GET", json, headers = {} }: Request = {}, span?: Span): Promise<Answer> {
    const send = () =>
      fetch(this.url + path, {
        method,
        headers: json === undefined ? headers : { "Content-Type": "application/json", ...headers },
        ...(json !== undefined && { body: JSON.stringify(json) }),
        credentials: "omit",
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
    try {
      const answer = await (span === undefined ? send() : inside(span, send));
      const text = await answer.text();
      return {
        status: answer.status,
        body: decoded(text),
        eventId: answer.headers.get("X-Sentry-Event-Id"),
        retryAfter: Number(answer.headers.get("Retry-After")) || null,
      };
    } catch (problem) {
      const late = problem instanceof DOMException && problem.name === "TimeoutError";
      throw new NoAnswer(
        late ? `no answer within ${PATIENCE_MS / 1000} seconds` : `the gateway at ${this.url} cannot be reached`,
        { cause: problem },
      );
    }
  }
}

/** The words of an error answer, or its status in words. */
export function explain({ status, body }: Pick<Answer, "status" | "body">): string {
  const words = typeof body === "object" && body !== null && "error" in body ? body.error : undefined;
  return typeof words === "string" ? words : `status ${status}`;
}

function decoded(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
