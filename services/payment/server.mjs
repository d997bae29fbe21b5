// @ts-check
/** Serves the application until SIGTERM or SIGINT. */
import { once } from "node:events";
import { createServer } from "node:http";
import * as Sentry from "@sentry/node";
import { createApp } from "./src/app.mjs";
import { writeLog } from "./src/http/request-log.mjs";
import { orStop, readSettings, stopOverSetting } from "./src/settings.mjs";

const SHUTDOWN_MS = 1800;
const IN_FLIGHT_MS = 800;
// Longer than proxies keep an idle connection, else one may send a request just as this side closes it.
const KEEP_ALIVE_MS = 65_000;
// A request here is a few hundred bytes: who needs longer for it, or for its headers, only holds a place.
const REQUEST_MS = 15_000;
const CHECKING_MS = 1000;

/**
 * Finish what is in flight, send what the SDK still holds, exit. A process that ends by a signal without this
 * loses the errors, spans, logs and metrics of its last seconds.
 *
 * @param {import("node:http").Server} server
 */
async function shutDown(server) {
  const deadline = performance.now() + SHUTDOWN_MS;
  const closed = once(server, "close");
  server.close();
  const impatience = setTimeout(() => server.closeAllConnections(), IN_FLIGHT_MS);
  await closed;
  clearTimeout(impatience);
  await Sentry.close(deadline - performance.now());
  process.exit(0);
}

const settings = await orStop(() => readSettings(process.env));
const app = await orStop(() => createApp(settings));
const server = createServer(
  {
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: CHECKING_MS,
  },
  app,
);

// A connection is idle again after its answer; without this it would hold up a shutdown that began before.
server.on("request", (_request, response) => {
  response.once("close", () => {
    if (!server.listening) server.closeIdleConnections();
  });
});
server.on("error", (error) => {
  stopOverSetting(
    `cannot listen on ${settings.host}:${settings.port}: ${error.message}; choose another PORT or HOST`,
  );
});
server.listen(settings.port, settings.host, () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : settings.port;
  writeLog("info", `listening on http://${settings.host}:${port}`, { port });
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => shutDown(server));
}
