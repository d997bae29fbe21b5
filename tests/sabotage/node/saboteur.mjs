/**
 * Loaded into a Node service before its own code (NODE_OPTIONS): carries out the sabotage that SABOTAGE names.
 *
 * `init.tracingOff` means: let `init.mjs`, beside this file, stand in for the module that the table below names,
 * and do there what it calls `tracingOff`. The service's own files stay as they are.
 */
import { register } from "node:module";
import { pathToFileURL } from "node:url";

const STANDS_IN_FOR = {
  endpoints: "src/debug/registry.mjs",
  init: "@sentry/node",
};

const [standIn] = process.env.SABOTAGE.split(".");
const original = STANDS_IN_FOR[standIn];
if (original === undefined) {
  throw new Error(`nothing is called ${standIn}, as in SABOTAGE=${process.env.SABOTAGE}`);
}
const service = pathToFileURL(`${process.cwd()}/`).href;
register("./standing-in.mjs", import.meta.url, {
  data: {
    service,
    original: original.startsWith("src/") ? new URL(original, service).href : original,
    standIn: new URL(`${standIn}.mjs`, import.meta.url).href,
  },
});
