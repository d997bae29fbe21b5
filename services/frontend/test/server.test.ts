import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { readSettings } from "../server/settings.mjs";
import { openSite } from "../server/site.mjs";

const DSN = "http://key@127.0.0.1:9/1";
let server: Server | undefined;

afterEach(() => server?.close());

async function serve(environment: NodeJS.ProcessEnv): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "page-"));
  writeFileSync(join(directory, "index.html"), "<!doctype html><title>page</title>");
  server = createServer(openSite(readSettings(environment), directory)).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("the configuration is that of the environment", async () => {
  const url = await serve({
    SENTRY_DSN: DSN,
    SENTRY_RELEASE: "frontend@7",
    SENTRY_ENVIRONMENT: "staging",
    GATEWAY_URL: "https://gateway.example/",
  });
  expect(await (await fetch(`${url}/config.json`)).json()).toEqual({
    dsn: DSN,
    release: "frontend@7",
    environment: "staging",
    gatewayUrl: "https://gateway.example",
    signsTokens: false,
  });
});

test("the page may reach its own server, the gateway and Sentry, and nothing else", async () => {
  const url = await serve({ SENTRY_DSN: DSN, GATEWAY_URL: "http://127.0.0.1:8000/base" });
  const policy = (await fetch(url)).headers.get("Content-Security-Policy");
  expect(policy).toContain("default-src 'none'; script-src 'self'; ");
  expect(policy).toContain("connect-src 'self' http://127.0.0.1:8000 http://127.0.0.1:9;");
});

test("without a DSN nothing may be sent anywhere", async () => {
  const url = await serve({ GATEWAY_URL: "http://127.0.0.1:8000" });
  expect((await fetch(url)).headers.get("Content-Security-Policy")).toContain("'self' http://127.0.0.1:8000;");
  expect(await (await fetch(`${url}/config.json`)).json()).toMatchObject({ dsn: null, release: null });
});

test.each([
  ["GET", "/nothing", 404],
  ["GET", "/..%2f..%2fserver.mjs", 404],
  ["POST", "/config.json", 405],
  ["GET", "/health", 200],
])("%s %s is answered with %i", async (method, path, status) => {
  const url = await serve({});
  expect((await fetch(url + path, { method })).status).toBe(status);
});

test("a connection breaks where it is meant to", async () => {
  const url = await serve({});
  await expect(fetch(`${url}/broken-connection`)).rejects.toThrow("fetch failed");
});

test.each([
  [{ PORT: "80x" }, 'PORT must be a whole number from 0 to 65535, not "80x"'],
  [{ GATEWAY_URL: "gateway:8000" }, 'GATEWAY_URL must be a base URL such as http://127.0.0.1:8000, not "gateway:8000"'],
  [{ SENTRY_DSN: "nowhere" }, 'SENTRY_DSN must be a DSN such as https://key@sentry.example.com/1, not "nowhere"'],
])("%j is refused in words", (environment, message) => {
  expect(() => readSettings(environment)).toThrow(message);
});

test("a page that is not built is said to be missing", () => {
  expect(() => openSite(readSettings({}), "/nowhere")).toThrow('run "npm run build"');
});
