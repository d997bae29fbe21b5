import { decodeJwt, decodeProtectedHeader, UnsecuredJWT } from "jose";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Gateway, NoAnswer, type Answer } from "../src/gateway";
import { Access, BadToken, readToken } from "../src/panel/access";
import { forgedToken } from "../src/panel/forged-token";

const NOW = Date.parse("2026-11-25T12:00:00Z");
const GATEWAY = "http://gateway.test";
const LIFE_S = 300;

/** What the page's server and the gateway were asked: the path, and what it came with. */
const asked: { url: string; authorization: string | null }[] = [];
let signed: () => Response;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
  asked.length = 0;
  let count = 0;
  signed = () => Response.json({ token: `signed-${(count += 1)}`, expiresIn: LIFE_S });
  vi.stubGlobal("fetch", async (url: string, options: RequestInit) => {
    asked.push({ url, authorization: new Headers(options.headers).get("Authorization") });
    return url === "/debug-token" ? signed() : Response.json({});
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function typed(claims: Record<string, unknown>): string {
  return new UnsecuredJWT(claims).encode() + "c2lnbmF0dXJl";
}

function refusal(status: number, retryAfter: number | null = null): Answer {
  return { status, body: {}, eventId: null, retryAfter };
}

test("without a token none is sent", async () => {
  await new Access(new Gateway(GATEWAY), false).ask("/debug");
  expect(asked).toEqual([{ url: `${GATEWAY}/debug`, authorization: null }]);
});

test("a signed token is renewed a minute before it ends, and not earlier", async () => {
  const access = new Access(new Gateway(GATEWAY), true);
  await access.ask("/debug");
  vi.setSystemTime(NOW + (LIFE_S - 61) * 1000);
  await access.ask("/debug");
  vi.setSystemTime(NOW + (LIFE_S - 59) * 1000);
  await access.ask("/debug");
  expect(asked.map(({ url, authorization }) => authorization ?? url)).toEqual([
    "/debug-token",
    "Bearer signed-1",
    "Bearer signed-1",
    "/debug-token",
    "Bearer signed-2",
  ]);
});

test("a typed token is used from then on, even if one is just being signed", async () => {
  const access = new Access(new Gateway(GATEWAY), true);
  const token = typed({ exp: NOW / 1000 + 60 });
  const first = access.ask("/debug");
  access.use(` ${token}\n`);
  await first;
  await access.ask("/debug");
  expect(asked.map(({ authorization }) => authorization)).toEqual([null, `Bearer ${token}`, `Bearer ${token}`]);
});

test.each([
  [() => Response.json({ error: "tokens are for this page alone" }, { status: 403 }), "tokens are for this page alone"],
  [() => new Response("<html>", { status: 502 }), "it does not answer"],
  [() => Response.json({ token: 7 }), "its answer is not understood"],
])("a server that signs nothing is a reason", async (answer, words) => {
  signed = answer;
  const asking = new Access(new Gateway(GATEWAY), true).ask("/debug");
  await expect(asking).rejects.toThrow(NoAnswer);
  await expect(asking).rejects.toThrow(words);
  expect(asked).toHaveLength(1);
});

test.each([
  ["", "This is no token"],
  ["Bearer a.b.c", "This is no token"],
  ["пароль.a.b", "This is no token"],
  ["a.b.c", "what it says cannot be read"],
  [`a.${"b".repeat(4096)}.c`, "at most 4096 characters"],
  [typed({ exp: NOW / 1000 - 1 }), "This token expired at"],
])("%j is refused before it is sent", (text, words) => {
  expect(() => readToken(text)).toThrow(BadToken);
  expect(() => readToken(text)).toThrow(words);
});

test("a token that never ends is for the services to refuse", () => {
  expect(readToken(typed({ sub: "me" })).expires).toBe(Infinity);
});

test("every refusal says what to do", () => {
  const access = new Access(new Gateway(GATEWAY), false);
  const why = (answer: Answer) => access.whyRefused("payment", answer, "debug:load");
  expect(why(refusal(401))).toBe("payment wants an access token.");
  access.use(typed({ exp: NOW / 1000 + 60 }));
  expect(why(refusal(401))).toBe("payment refuses this access token; it wants another one.");
  vi.setSystemTime(NOW + 60_000);
  expect(why(refusal(401))).toBe("The access token has expired; payment wants a fresh one.");
  expect(why(refusal(403))).toContain("payment asks for the scope debug:load");
  expect(why(refusal(404))).toContain("switched off");
  expect(why(refusal(429, 12))).toBe("Too many requests for payment; try again in 12 seconds.");
  expect(why(refusal(429, 1))).toContain("in 1 second.");
  expect(why(refusal(500))).toBeUndefined();
});

test("a forged token is a good one but for its signature", () => {
  const token = forgedToken();
  expect(decodeProtectedHeader(token)).toEqual({ alg: "EdDSA" });
  expect(decodeJwt(token)).toMatchObject({ aud: "debug-endpoints", exp: NOW / 1000 + 300 });
  expect(forgedToken()).not.toBe(token);
});
