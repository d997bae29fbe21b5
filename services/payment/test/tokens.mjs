// @ts-check
/** What a request to a debug endpoint needs: keys of this run, tokens signed with them, and the files beside. */
import { KeyObject, sign } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT, decodeJwt, exportJWK, generateKeyPair } from "jose";

const ALL_SCOPES = "debug:read debug:crash debug:load";

/** @typedef {Awaited<ReturnType<typeof newKeys>>} Keys */

/** @param {string} algorithm */
export async function newKeys(algorithm = "EdDSA") {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { algorithm, privateKey, publicKey };
}

/** A folder with the files of the guard, and tokens that it takes. */
export class Access {
  /** @param {Keys} keys */
  constructor(keys) {
    this.keys = keys;
    this.folder = mkdtempSync(join(tmpdir(), "payment-access-"));
    this.flagsFile = join(this.folder, "flags.json");
    this.keysFile = join(this.folder, "keys.json");
    this.environment = { DEBUG_FLAGS_FILE: this.flagsFile, DEBUG_KEYS_FILE: this.keysFile };
    this.switch({ debug: true });
  }

  /** Open access with an Ed25519 key, all endpoints switched on. */
  static async open() {
    const access = new Access(await newKeys());
    await access.trust([access.keys]);
    return access;
  }

  /** @param {Record<string, boolean>} flags */
  switch(flags) {
    const described = Object.entries(flags).map(([key, on]) => [
      key,
      { state: "ENABLED", variants: { on: true, off: false }, defaultVariant: on ? "on" : "off" },
    ]);
    this.#replace(this.flagsFile, { flags: Object.fromEntries(described) });
  }

  /**
   * @param {Keys[]} keys
   * @param {object} [properties] of each key
   */
  async trust(keys, properties = {}) {
    const jwks = await Promise.all(
      keys.map(async ({ publicKey }) => ({ ...(await exportJWK(publicKey)), ...properties })),
    );
    this.#replace(this.keysFile, { keys: jwks });
  }

  /**
   * @param {Record<string, unknown>} [claims] in place of good ones; undefined leaves one out
   * @param {{ keys?: Keys, header?: object }} [signing]
   * @returns {Promise<string>}
   */
  token(claims = {}, { keys = this.keys, header = {} } = {}) {
    const now = Math.floor(Date.now() / 1000);
    const good = { sub: "anna@ops", aud: "debug-endpoints", iat: now, exp: now + 300, scope: ALL_SCOPES };
    return new SignJWT({ ...good, ...claims })
      .setProtectedHeader({ alg: keys.algorithm, ...header })
      .sign(keys.privateKey);
  }

  /**
   * Sign good claims under a header that no library would write.
   *
   * @param {Record<string, unknown>} header
   * @returns {Promise<string>}
   */
  async forge(header) {
    const claims = decodeJwt(await this.token());
    const parts = [{ alg: this.keys.algorithm, ...header }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    const key = KeyObject.from(this.keys.privateKey);
    return [...parts, sign(null, Buffer.from(parts.join(".")), key).toString("base64url")].join(".");
  }

  /**
   * @param {Record<string, unknown>} [claims]
   * @returns {Promise<{ authorization: string }>}
   */
  async headers(claims) {
    return { authorization: `Bearer ${await this.token(claims)}` };
  }

  close() {
    rmSync(this.folder, { recursive: true });
  }

  /**
   * @param {string} path
   * @param {object} content
   */
  #replace(path, content) {
    writeFileSync(`${path}.new`, JSON.stringify(content));
    renameSync(`${path}.new`, path);
  }
}
