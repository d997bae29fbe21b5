// @ts-check
/** What is answered to whom: the built page, its configuration, and the headers that keep it to itself. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import sirv from "sirv";
import { BadSetting } from "./settings.mjs";
import { isFromOwnPage, isLoopback, openSigning } from "./signing.mjs";

const BUILT = fileURLToPath(new URL("../dist/", import.meta.url));

/**
 * The listener for all requests.
 *
 * @param {import("./settings.mjs").Settings} settings
 * @param {string} [directory] with the built page
 * @returns {import("node:http").RequestListener}
 * @throws {BadSetting} the page has not been built, or tokens cannot or must not be signed
 */
export function openSite(settings, directory = BUILT) {
  if (!existsSync(`${directory}/index.html`)) {
    throw new BadSetting(`the page is not built, ${directory} has no index.html; run "npm run build"`);
  }
  const sign = signingFor(settings);
  const headers = Object.entries(headersFor(settings));
  const files = sirv(directory, { etag: true });
  const configuration = {
    dsn: settings.dsn,
    release: settings.release,
    environment: settings.environment,
    gatewayUrl: settings.gatewayUrl,
    signsTokens: sign !== null,
  };
  return (request, response) => {
    for (const [name, value] of headers) response.setHeader(name, value);
    const path = request.url?.split("?", 1)[0];
    if (sign !== null && path === "/debug-token" && request.method === "POST") {
      answerWithToken(request, response, sign);
    } else if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      answerJson(response, 405, { error: `there is no ${request.method} here` });
    } else if (path === "/health") {
      answerJson(response, 200, { status: "ok", service: "frontend" });
    } else if (path === "/config.json") {
      answerJson(response, 200, configuration);
    } else if (path === "/broken-connection") {
      // For the debug panel: a fetch that fails like one whose network is gone.
      request.socket.destroy();
    } else {
      files(request, response, () => answerJson(response, 404, { error: `nothing is at ${path}` }));
    }
  };
}

/**
 * @param {import("./settings.mjs").Settings} settings
 * @returns {(() => Promise<import("./signing.mjs").SignedToken>) | null} null: nobody gets a token here
 * @throws {BadSetting}
 */
function signingFor({ signingKeyFile, host }) {
  if (signingKeyFile === null) return null;
  if (!isLoopback(host)) {
    throw new BadSetting(
      `DEBUG_SIGNING_KEY_FILE gives tokens to whoever opens the page, so HOST must be 127.0.0.1 or localhost, not "${host}"`,
    );
  }
  return openSigning(signingKeyFile);
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 * @param {() => Promise<import("./signing.mjs").SignedToken>} sign
 */
async function answerWithToken(request, response, sign) {
  if (isFromOwnPage(request)) answerJson(response, 200, await sign());
  else answerJson(response, 403, { error: "tokens are for this page alone, opened at 127.0.0.1 or localhost" });
}

/**
 * @param {import("./settings.mjs").Settings} settings
 * @returns {Record<string, string>}
 */
function headersFor({ gatewayUrl, dsn }) {
  const reached = [gatewayUrl, ...(dsn === null ? [] : [dsn])].map((url) => new URL(url).origin);
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${[...new Set(reached)].join(" ")}`,
    // Session replay compresses in a worker that it makes of a blob.
    "worker-src 'self' blob:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    "Content-Security-Policy": policy.join("; "),
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  };
}

/**
 * @param {import("node:http").ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 */
function answerJson(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify(body));
}
