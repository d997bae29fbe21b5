// @ts-check
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createListener } from "node:net";
import { test } from "node:test";
import { impatientHttp } from "../src/sentry-requests.mjs";

/**
 * @param {import("node:test").TestContext} t
 * @param {import("node:net").Server} server
 * @returns {Promise<number>} the port on which it listens until the test is over
 */
async function listen(t, server) {
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

test("a request that nobody answers is given up", async (t) => {
  const port = await listen(t, createServer());
  const request = impatientHttp(50).request({ protocol: "http:", hostname: "127.0.0.1", port, method: "POST" });
  request.end("{}");
  const [error] = await once(request, "error");
  assert.equal(error.cause.name, "TimeoutError");
});

test("a request that is answered in time goes on as ever", async (t) => {
  const server = createServer((_request, response) => response.end("{}"));
  const port = await listen(t, server);
  const answered = new Promise((resolve) => {
    impatientHttp()
      .request({ protocol: "http:", hostname: "127.0.0.1", port, method: "POST" }, resolve)
      .end("{}");
  });
  assert.equal((await answered).statusCode, 200);
});

test("where Sentry's address begins with https, it is spoken to in TLS", async (t) => {
  const server = createListener();
  const port = await listen(t, server);
  const request = impatientHttp(5000).request({ protocol: "https:", hostname: "127.0.0.1", port, method: "POST" });
  request.on("error", () => {});
  request.end("{}");
  const [socket] = await once(server, "connection");
  const [greeting] = await once(socket, "data");
  assert.equal(greeting[0], 0x16, "a TLS handshake begins with this byte");
});
