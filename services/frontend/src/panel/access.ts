/** What opens the debug endpoints: a token that the page's server signs, or one that somebody types in. */
import type { Span } from "@sentry/browser";
import { decodeJwt } from "jose/jwt/decode";
import { explain, NoAnswer, type Answer, type Gateway, type Request } from "../gateway";

const LONGEST_TOKEN = 4096;
const RENEWED_BEFORE_S = 60;
const PATIENCE_MS = 10_000;

/** A text that no service would take for a token. */
export class BadToken extends Error {
  override name = "BadToken";
}

interface Token {
  text: string;
  /** In milliseconds since 1970; infinite when it does not say. */
  expires: number;
}

/** The gateway's debug endpoints, with a token. It stays in memory: nothing else of this page ever has it. */
export class Access {
  readonly gateway: Gateway;
  /** Whether the page's server signs the tokens; not any more once one was typed in. */
  isSigned: boolean;
  #token: Token | null = null;

  constructor(gateway: Gateway, isSigned: boolean) {
    this.gateway = gateway;
    this.isSigned = isSigned;
  }

  /**
   * Use this token from now on.
   *
   * @throws {BadToken} it is none, or not any more
   */
  use(text: string): void {
    this.#token = readToken(text);
    this.isSigned = false;
  }

  /** As the gateway's `ask`, with the token if there is one. */
  async ask(path: string, request: Request = {}, span?: Span): Promise<Answer> {
    if (this.isSigned && (this.#token?.expires ?? 0) < Date.now() + RENEWED_BEFORE_S * 1000) {
      const fresh = await askForToken();
      // Meanwhile somebody may have typed one in.
      if (this.isSigned) this.#token = fresh;
    }
    const authorization = this.#token === null ? {} : { Authorization: `Bearer ${this.#token.text}` };
    return this.gateway.ask(path, { ...request, headers: { ...request.headers, ...authorization } }, span);
  }

  /** What a service means by refusing, and what to do; undefined when it does not refuse. */
  whyRefused(service: string, { status, retryAfter }: Answer, scope: string): string | undefined {
    switch (status) {
      case 401:
        if (this.#token === null) return `${service} wants an access token.`;
        return this.#token.expires <= Date.now()
          ? `The access token has expired; ${service} wants a fresh one.`
          : `${service} refuses this access token; it wants another one.`;
      case 403:
        return `This access token is not allowed to do that: ${service} asks for the scope ${scope}.`;
      case 404:
        return `${service} has this switched off, or never had it.`;
      case 429:
        return `Too many requests for ${service}; try again in ${inWords(retryAfter)}.`;
      default:
        return undefined;
    }
  }
}

/**
 * Read what somebody has typed in. Whether it is good only a service can say.
 *
 * @throws {BadToken}
 */
export function readToken(text: string): Token {
  const trimmed = text.trim();
  if (trimmed.length > LONGEST_TOKEN) throw new BadToken(`A token has at most ${LONGEST_TOKEN} characters.`);
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(trimmed)) {
    throw new BadToken("This is no token: it must be three words with dots between them.");
  }
  const expires = expiryOf(trimmed);
  if (expires <= Date.now()) {
    throw new BadToken(`This token expired at ${new Date(expires).toLocaleTimeString("en-GB")}; get a fresh one.`);
  }
  return { text: trimmed, expires };
}

function expiryOf(text: string): number {
  try {
    return (decodeJwt(text).exp ?? Infinity) * 1000;
  } catch {
    throw new BadToken("This is no token: what it says cannot be read. Was it copied as a whole?");
  }
}

async function askForToken(): Promise<Token> {
  const unsigned = (reason: string, cause?: unknown) =>
    new NoAnswer(`the page's own server signs no token (${reason})`, { cause });
  let answer: Response;
  let body: { token?: unknown; expiresIn?: unknown; error?: unknown };
  try {
    answer = await fetch("/debug-token", { method: "POST", signal: AbortSignal.timeout(PATIENCE_MS) });
    body = await answer.json();
  } catch (problem) {
    throw unsigned("it does not answer", problem);
  }
  const { token, expiresIn } = body;
  if (!answer.ok) throw unsigned(explain({ status: answer.status, body }));
  if (typeof token !== "string" || typeof expiresIn !== "number") throw unsigned("its answer is not understood");
  return { text: token, expires: Date.now() + expiresIn * 1000 };
}

function inWords(seconds: number | null): string {
  if (seconds === null) return "a while";
  return seconds === 1 ? "1 second" : `${seconds} seconds`;
}
