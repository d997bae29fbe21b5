// @ts-check
/** Who asks: short-lived signed tokens (RFC 7519), checked against the public keys of a file (RFC 7517). */
import { createPublicKey } from "node:crypto";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { WatchedFile, isObject } from "./watched-file.mjs";

const AUDIENCE = "debug-endpoints";
const LONGEST_TOKEN_BYTES = 4096;
const LONGEST_LIFE_S = 900;
const LEEWAY_S = 5;
const BEARER = /^Bearer +(?=eyJ)([\w.-]+)$/i;
const SUBJECT = /^(?:[^\p{C}\p{Z}]| ){1,128}$/u;
const PRINTABLE = /^(?:[^\p{C}\p{Z}]| )*$/u;
/** @type {Record<string, string>} */
const ALGORITHMS = { Ed25519: "EdDSA", "P-256": "ES256" };
const KEY_TYPES = { EdDSA: "OKP", ES256: "EC" };

/**
 * @typedef {object} Identity
 * @property {string} sub
 * @property {string} [jti]
 * @property {readonly string[]} scopes
 */

/** @typedef {{ kid?: string, alg: string, key: import("node:crypto").KeyObject }} Key */

export class TokenCheck {
  #file;

  /**
   * @param {string} path a JWKS with public keys
   */
  constructor(path) {
    this.#file = new WatchedFile(path, "DEBUG_KEYS_FILE", parseKeys);
  }

  /**
   * Make sure that there are keys, before anything is served.
   *
   * @throws {Error} the file is missing, unreadable or invalid
   */
  prove() {
    this.#file.load();
  }

  /**
   * @param {readonly string[]} authorizations values of the headers Authorization of a request
   * @returns {Promise<Identity | undefined>} undefined for whatever is not exactly one good token
   */
  async identify(authorizations) {
    const [authorization, ...more] = authorizations;
    if (authorization === undefined || more.length > 0) return undefined;
    const token = authorization.length <= LONGEST_TOKEN_BYTES + 16 && BEARER.exec(authorization)?.[1];
    if (!token || token.length > LONGEST_TOKEN_BYTES) return undefined;
    try {
      return await this.#verify(token);
    } catch {
      // Why a token is refused is nobody's business but its owner's, who has it.
      return undefined;
    }
  }

  /**
   * @param {string} token
   * @returns {Promise<Identity | undefined>}
   * @throws {Error} the token is malformed
   */
  async #verify(token) {
    const header = decodeProtectedHeader(token);
    // Neither extensions nor a payload as it is (RFC 7797) belong into these tokens.
    if ("crit" in header || "b64" in header) return undefined;
    const { alg, kid } = header;
    const candidates = (this.#file.read() ?? []).filter(
      (key) => key.alg === alg && (kid === undefined || key.kid === kid),
    );
    for (const candidate of candidates) {
      const verified = await jwtVerify(token, candidate.key, {
        algorithms: [candidate.alg],
        audience: AUDIENCE,
        clockTolerance: LEEWAY_S,
        requiredClaims: ["sub", "iat", "exp"],
      }).catch(() => undefined);
      if (verified !== undefined) return identityOf(verified.payload);
    }
    return undefined;
  }
}

/**
 * @param {import("jose").JWTPayload} claims whose signature, audience and end are checked
 * @returns {Identity | undefined}
 */
function identityOf({ sub, jti, iat = NaN, exp = NaN, scope = "" }) {
  const sound =
    typeof sub === "string" &&
    SUBJECT.test(sub) &&
    (jti === undefined || (typeof jti === "string" && PRINTABLE.test(jti))) &&
    typeof scope === "string" &&
    exp - iat <= LONGEST_LIFE_S &&
    iat <= Date.now() / 1000 + LEEWAY_S;
  return sound ? { sub, jti, scopes: scope.split(" ") } : undefined;
}

/**
 * @param {string} text
 * @returns {Key[]}
 * @throws {Error} the text is not a JWKS with public keys of the two kinds
 */
function parseKeys(text) {
  const file = JSON.parse(text);
  if (!isObject(file) || !Array.isArray(file.keys) || file.keys.length === 0) {
    throw new Error('keys must be a JWKS such as {"keys": [...]} with at least one key');
  }
  return file.keys.map(keyOf);
}

/**
 * @param {unknown} jwk
 * @returns {Key}
 */
function keyOf(jwk) {
  const alg = isObject(jwk) && typeof jwk.crv === "string" ? ALGORITHMS[jwk.crv] : undefined;
  if (!isObject(jwk) || (alg !== "EdDSA" && alg !== "ES256") || jwk.kty !== KEY_TYPES[alg]) {
    throw new Error("every key must be an Ed25519 (OKP) or a P-256 (EC) key");
  }
  if ("d" in jwk) {
    throw new Error(
      "every key must be a public one; this file has the private part of one, which belongs elsewhere",
    );
  }
  const { crv, kid, alg: purpose = alg, use = "sig", key_ops: operations = ["verify"] } = jwk;
  const isForVerifying = use === "sig" && Array.isArray(operations) && operations.includes("verify");
  if (!isForVerifying || purpose !== alg || (kid !== undefined && typeof kid !== "string")) {
    throw new Error(`a key of curve ${crv} must be for verifying ${alg}, and its kid a text`);
  }
  try {
    return { kid, alg, key: createPublicKey({ key: jwk, format: "jwk" }) };
  } catch (error) {
    throw new Error(`a key of curve ${crv} is none: ${error instanceof Error ? error.message : error}`);
  }
}
