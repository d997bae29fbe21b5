// @ts-check
/** Short-lived tokens for the debug panel, for development: whoever opens the page on this machine gets one. */
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { SignJWT } from "jose";
import { BadSetting } from "./settings.mjs";

const LIFE_S = 300;
const SUBJECT = "debug-panel";
const AUDIENCE = "debug-endpoints";
const SCOPE = "debug:read debug:crash debug:load";
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const DEFAULT_PORT = 80;

/**
 * @typedef {object} SignedToken
 * @property {string} token
 * @property {number} expiresIn seconds from now
 */

/**
 * Read the private key that signs tokens.
 *
 * @param {string} path of an Ed25519 or P-256 key as PEM (PKCS #8)
 * @returns {() => Promise<SignedToken>} signs a fresh one
 * @throws {BadSetting} there is no such key
 */
export function openSigning(path) {
  const { key, alg } = readKey(path);
  return async () => {
    const token = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg })
      .setSubject(SUBJECT)
      .setAudience(AUDIENCE)
      .setJti(crypto.randomUUID())
      .setIssuedAt()
      .setExpirationTime(`${LIFE_S}s`)
      .sign(key);
    return { token, expiresIn: LIFE_S };
  };
}

/** Whether an address to listen on is this machine as only this machine knows it. */
export function isLoopback(/** @type {string} */ address) {
  return LOOPBACK.includes(address.includes(":") ? `[${address}]` : address);
}

/**
 * Whether a request comes from a page of this very server, opened on this machine.
 *
 * A browser sends Origin with every POST and lets no page choose it. What this server is called is known from the port
 * that it listens on, not from the request: that keeps out other sites, other servers of this machine, names that others
 * make point here, and a proxy that publishes the page.
 *
 * @param {import("node:http").IncomingMessage} request
 */
export function isFromOwnPage({ headers: { origin, host = "" }, socket: { localPort } }) {
  const port = localPort === DEFAULT_PORT ? "" : `:${localPort}`;
  return LOOPBACK.some((name) => host === name + port && origin === `http://${host}`);
}

/**
 * @param {string} path
 * @returns {{ key: import("node:crypto").KeyObject, alg: string }}
 */
function readKey(path) {
  try {
    const key = createPrivateKey(readFileSync(path));
    if (key.asymmetricKeyType === "ed25519") return { key, alg: "EdDSA" };
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return { key, alg: "ES256" };
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new BadSetting(`DEBUG_SIGNING_KEY_FILE: ${path} is no private key that can be read: ${message}`);
  }
  throw new BadSetting(`DEBUG_SIGNING_KEY_FILE: ${path} must be an Ed25519 or a P-256 key`);
}
