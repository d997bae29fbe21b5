// @ts-check
/** A real Redis for the tests, on a port of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

export class RedisServer {
  /** @type {import("node:child_process").ChildProcess | undefined} */
  #process;
  #port = 0;

  get url() {
    return `redis://127.0.0.1:${this.#port}/0`;
  }

  /** Start it, on the port that it had before if it was stopped, and wait until it takes connections. */
  async start() {
    this.#port ||= await freePort();
    const options = ["--port", String(this.#port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    const process = spawn("redis-server", options, { cwd: "/tmp", stdio: ["ignore", "pipe", "ignore"] });
    this.#process = process;
    const spawned = once(process, "spawn").catch(() => {
      throw new Error("these tests need a redis-server on PATH: apt-get install redis-server");
    });
    await spawned;
    for await (const line of createInterface(process.stdout)) {
      if (line.includes("Ready to accept connections")) break;
    }
    process.stdout.resume();
  }

  async stop() {
    if (this.#process === undefined || this.#process.exitCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  /** Let it accept connections and answer nothing. */
  freeze() {
    this.#process?.kill("SIGSTOP");
  }

  thaw() {
    this.#process?.kill("SIGCONT");
  }
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
