import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jwtVerify } from "jose";
import { afterEach, expect, test } from "vitest";
import { readSettings } from "../server/settings.mjs";
import { isLoopback } from "../server/signing.mjs";
import { openSite } from "../server/site.mjs";

const PATH = "/debug-token";
const directory = mkdtempSync(join(tmpdir(), "signing-"));
writeFileSync(join(directory, "index.html"), "<!doctype html><title>page</title>");
let server: Server | undefined;

afterEach(() => server?.close());

function pem(name: string, key: KeyObject): string {
  const path = join(directory, name);
  writeFileSync(path, key.export({ type: "pkcs8", format: "pem" }));
  return path;
}

const ED25519 = generateKeyPairSync("ed25519");
const P256 = generateKeyPairSync("ec", { namedCurve: "P-256" });
const FILES = { EdDSA: pem("ed25519.pem", ED25519.privateKey), ES256: pem("p256.pem", P256.privateKey) };

async function serve(environment: NodeJS.ProcessEnv): Promise<string> {
  server = createServer(openSite(readSettings(environment), directory)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** As no browser lets a page ask: with whatever Host and Origin. */
async function ask(host: string, headers: Record<string, string>, method = "POST") {
  const asking = request(`http://${host}${PATH}`, { method, headers }).end();
  const [answer] = await once(asking, "response");
  let text = "";
  for await (const piece of answer) text += piece;
  return { status: answer.statusCode as number, headers: answer.headers, body: JSON.parse(text) };
}

test.each([
  ["EdDSA", ED25519],
  ["ES256", P256],
] as const)("the page gets a short-lived token of the key's own algorithm, %s", async (alg, pair) => {
  const host = await serve({ DEBUG_SIGNING_KEY_FILE: FILES[alg] });
  const { status, headers, body } = await ask(host, { Origin: `http://${host}` });
  expect(status).toBe(200);
  expect(headers["cache-control"]).toBe("no-store");
  expect(body.expiresIn).toBe(300);
  const { payload } = await jwtVerify(body.token, pair.publicKey, {
    algorithms: [alg],
    audience: "debug-endpoints",
    subject: "debug-panel",
  });
  expect(payload.scope).toBe("debug:read debug:crash debug:load");
  expect(payload.exp! - payload.iat!).toBe(300);
  expect((await (await fetch(`http://${host}/config.json`)).json()).signsTokens).toBe(true);
});

function spelled(host: string): Record<string, string> {
  return { Host: host, Origin: `http://${host}` };
}

test.each(["localhost", "127.0.0.1", "[::1]"])("the page may be opened as %s", async (name) => {
  const host = await serve({ DEBUG_SIGNING_KEY_FILE: FILES.EdDSA });
  expect((await ask(host, spelled(`${name}:${host.split(":")[1]}`))).status).toBe(200);
});

test.each<[string, (host: string) => Record<string, string>]>([
  ["nobody's page", () => ({})],
  ["another site", () => ({ Origin: "https://evil.example" })],
  ["another port of this machine", () => ({ Origin: "http://127.0.0.1:1" })],
  ["a page without an origin", () => ({ Origin: "null" })],
  ["a name that somebody makes point here", () => ({ Host: "evil.example", Origin: "http://evil.example" })],
  ["another server of this machine that speaks of itself", () => ({ Host: "127.0.0.1:1", Origin: "http://127.0.0.1:1" })],
  ["a page without its port", () => ({ Host: "127.0.0.1", Origin: "http://127.0.0.1" })],
  ["a page that came by TLS", (host) => ({ Origin: `https://${host}` })],
  ["another name of ours than it asks for", (host) => ({ Origin: `http://localhost:${host.split(":")[1]}` })],
  ["our address in another spelling", (host) => spelled(`127.1:${host.split(":")[1]}`)],
  ["a host with somebody before it", (host) => spelled(`x@${host}`)],
  ["a host in capitals", (host) => spelled(`LOCALHOST:${host.split(":")[1]}`)],
  ["a proxy in front", (host) => ({ Origin: "https://casino.example", Host: host })],
  ["a name that begins like ours", () => ({ Host: "127.0.0.1.evil.example", Origin: "http://127.0.0.1.evil.example" })],
])("%s gets none", async (_who, headers) => {
  const host = await serve({ DEBUG_SIGNING_KEY_FILE: FILES.EdDSA });
  const { status, body } = await ask(host, headers(host));
  expect(status).toBe(403);
  expect(Object.keys(body)).toEqual(["error"]);
});

test("it is given for a POST alone", async () => {
  const host = await serve({ DEBUG_SIGNING_KEY_FILE: FILES.EdDSA });
  expect((await ask(host, { Origin: `http://${host}` }, "GET")).status).toBe(404);
});

test.each([
  ["::1", true],
  ["localhost", true],
  ["[::1]", false],
  ["::", false],
])("whether %s is an address that only this machine knows: %s", (address, known) => {
  expect(isLoopback(address)).toBe(known);
});

test("without a key there is no such place", async () => {
  const host = await serve({});
  expect((await ask(host, { Origin: `http://${host}` })).status).toBe(405);
});

test.each([
  [{ DEBUG_SIGNING_KEY_FILE: "/nowhere.pem" }, "/nowhere.pem is no private key that can be read"],
  [{ DEBUG_SIGNING_KEY_FILE: join(directory, "index.html") }, "index.html is no private key that can be read"],
  [
    { DEBUG_SIGNING_KEY_FILE: pem("p384.pem", generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey) },
    "must be an Ed25519 or a P-256 key",
  ],
  [{ DEBUG_SIGNING_KEY_FILE: FILES.EdDSA, HOST: "0.0.0.0" }, 'HOST must be 127.0.0.1 or localhost, not "0.0.0.0"'],
])("%j is refused in words", (environment, words) => {
  expect(() => openSite(readSettings(environment), directory)).toThrow(words);
});
