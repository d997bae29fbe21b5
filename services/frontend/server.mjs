// @ts-check
/** Serves the built page until SIGTERM or SIGINT. Writes nothing, keeps nothing, has no SDK: that is in the page. */
import { createServer } from "node:http";
import { orStop, readSettings, stopOverSetting } from "./server/settings.mjs";
import { openSite } from "./server/site.mjs";

const IN_FLIGHT_MS = 800;

const settings = orStop(() => readSettings(process.env));
const server = createServer(orStop(() => openSite(settings)));

server.on("error", (error) => {
  stopOverSetting(
    `cannot listen on ${settings.host}:${settings.port}: ${error.message}; choose another PORT or HOST`,
  );
});
server.listen(settings.port, settings.host, () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : settings.port;
  process.stdout.write(`listening on http://${settings.host}:${port}\n`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    setTimeout(() => server.closeAllConnections(), IN_FLIGHT_MS).unref();
  });
}
