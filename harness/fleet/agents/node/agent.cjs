/**
 * The agent inside a Node service: flushes the service's Sentry SDK when the harness asks for it.
 *
 * Preloaded through NODE_OPTIONS, in every process and worker thread. It finds the SDK through the SDK's own global
 * state, so that it works for ES modules and CommonJS alike and never loads an SDK itself. It keeps no process alive
 * and never disturbs the service: if the harness cannot be reached, there is simply no agent. The protocol is
 * described in the harness's control server.
 */
'use strict';

const net = require('node:net');
const { isMainThread } = require('node:worker_threads');

// What an application captures right after its response is sent is captured within a few turns of the event loop.
const TURNS = 5;
const turn = setImmediate;
// A harness that finds its services running comes at any time.
const RETRY_MS = 500;
const later = setTimeout;

function debug(problem) {
  if (process.env.SENTRY_HARNESS_DEBUG) {
    process.stderr.write(`sentry-harness agent: ${problem}\n`);
  }
}

function start(address) {
  const [, host, port, token, retry] = /^\[?(.*?)\]?:(\d+)\/([^?]*)(\?retry)?$/.exec(address);
  const socket = net.connect({ host, port: Number(port) });
  socket.unref();
  socket.setNoDelay(true);
  socket.on('error', debug);
  if (retry) {
    // So that the loss of a container's network is noticed.
    socket.setKeepAlive(true, 2000);
    socket.on('close', () => later(() => start(address), RETRY_MS).unref());
  }
  const send = (message) => socket.write(`${JSON.stringify(message)}\n`);
  send({ op: 'hello', token, pid: process.pid, runtime: `node/${process.versions.node}` });
  let unread = '';
  socket.setEncoding('utf8');
  socket.on('data', (data) => {
    const lines = (unread + data).split('\n');
    unread = lines.pop();
    for (const line of lines) {
      answer(line).then(send).catch(debug);
    }
  });
}

async function answer(line) {
  const request = JSON.parse(line);
  try {
    if (request.op !== 'flush') {
      throw new Error(`unknown operation ${request.op}`);
    }
    for (let left = TURNS; left > 0; left -= 1) {
      await new Promise((turned) => turn(turned));
    }
    return { id: request.id, ok: true, ...(await flush(request.timeout * 1000)) };
  } catch (problem) {
    return { id: request.id, ok: false, error: String(problem) };
  }
}

async function flush(milliseconds) {
  // One carrier for each version that is loaded; before version 8 there was one for all, with a hub.
  const carriers = Object.entries(globalThis.__SENTRY__ ?? {}).filter(([, carrier]) => typeof carrier === 'object');
  if (carriers.length === 0) {
    return { sdk: null, flushed: false };
  }
  const clients = [...new Set(carriers.map(([, carrier]) => liveClient(carrier)).filter(Boolean))];
  const sdk = clients[0]?.getOptions()._metadata?.sdk ?? {
    name: 'sentry.javascript',
    version: carriers.find(([version]) => /^\d/.test(version))?.[0] ?? '?',
  };
  const found = { sdk: `${sdk.name}/${sdk.version}`, initialised: clients.length > 0, flushed: false };
  if (clients.length === 0) {
    return found;
  }
  found.dsn = clients[0].getOptions().dsn ?? null;
  try {
    const sent = await Promise.all(clients.map((client) => client.flush(milliseconds)));
    return { ...found, flushed: sent.every(Boolean) };
  } catch (problem) {
    return { ...found, ok: false, error: String(problem) };
  }
}

function liveClient(carrier) {
  return (carrier?.defaultCurrentScope ?? carrier)?.getClient?.();
}

/** Call back once, when an SDK creates its global state; until then the property looks as if it was not there. */
function onceLoaded(callback) {
  const plain = { configurable: true, enumerable: true };
  Object.defineProperty(globalThis, '__SENTRY__', {
    ...plain,
    enumerable: false,
    get: () => undefined,
    set: (value) => {
      Object.defineProperty(globalThis, '__SENTRY__', { ...plain, writable: true, value });
      callback();
    },
  });
}

try {
  const address = process.env.SENTRY_HARNESS_AGENT;
  if (address && isMainThread) {
    start(address);
  } else if (address) {
    // Idle workers of a pool may block their thread for good; only one that has an SDK has something to answer.
    onceLoaded(() => start(address));
  }
} catch (problem) {
  debug(problem);
}
