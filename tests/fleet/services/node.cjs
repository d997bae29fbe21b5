// A Node service; `argv[2]` says with which SDK: none, a faked carrier of the SDK's global state, or the real one.
const { once } = require('node:events');
const cluster = require('node:cluster');
const http = require('node:http');
const { Worker } = require('node:worker_threads');

const [, , kind, sdkPath] = process.argv;
const flushes = [];

function fakeClient(version, flush) {
  return { flush, getOptions: () => ({ dsn: 'http://key@127.0.0.1/1', _metadata: { sdk: { name: 'sentry.javascript.fake', version } } }) };
}

function carrier(client) {
  return { defaultCurrentScope: { getClient: () => client } };
}

const kinds = {
  none() {},
  cluster() {},
  'not-initialised'() {
    globalThis.__SENTRY__ = { version: '11.0.0', '11.0.0': carrier(undefined) };
  },
  two() {
    const client = (version) => fakeClient(version, async (timeout) => { flushes.push([version, timeout]); return true; });
    globalThis.__SENTRY__ = { version: '11.0.0', '11.0.0': carrier(client('11.0.0')), '10.1.0': carrier(client('10.1.0')) };
  },
  unsent() {
    globalThis.__SENTRY__ = { '11.0.0': carrier(fakeClient('11.0.0', async () => false)) };
  },
  failing() {
    globalThis.__SENTRY__ = { '11.0.0': carrier(fakeClient('11.0.0', async () => { throw new Error('no way'); })) };
  },
  later() {
    const client = fakeClient('11.0.0', async () => { flushes.push([globalThis.captured]); return true; });
    globalThis.__SENTRY__ = { '11.0.0': carrier(client) };
  },
  async workers() {
    const withSdk = 'globalThis.__SENTRY__ = { "11.0.0": { defaultCurrentScope: { getClient: () => undefined } } };';
    const echo = `const { parentPort } = require('node:worker_threads');
      parentPort.on('message', (turn) => parentPort.postMessage(turn));`;
    const blocked = `const { parentPort } = require('node:worker_threads');
      const forEver = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      parentPort.on('message', (turn) => { parentPort.postMessage(turn); if (turn === 4) setImmediate(forEver); });`;
    for (const worker of [new Worker(withSdk + echo, { eval: true }), new Worker(blocked, { eval: true })]) {
      for (let turn = 0; turn < 5; turn += 1) {
        worker.postMessage(turn);
        await once(worker, 'message');
      }
    }
  },
  real() {
    const Sentry = require(sdkPath);
    Sentry.init({ enableLogs: true });
    globalThis.report = () => Sentry.logger.info('from node');
  },
};

/** Blocks the loop until a flush is surely asked for, and captures in the turn after that. */
function captureLater() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  setImmediate(() => { globalThis.captured = true; });
}

const server = http.createServer((request, response) => {
  if (request.url === '/log') globalThis.report();
  if (request.url === '/exit') process.exit(3);
  if (request.url === '/capture-later') response.on('finish', () => setImmediate(captureLater));
  response.end(JSON.stringify({ flushes, own: globalThis.own ?? null, parent: module.parent, options: process.env.NODE_OPTIONS }));
});
if (kind === 'cluster' && cluster.isPrimary) cluster.fork();
else Promise.resolve(kinds[kind]()).then(() => server.listen(Number(process.env.PORT), '127.0.0.1'));
