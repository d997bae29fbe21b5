/** A token that looks like a good one and that nobody has signed. */
import { encode } from "jose/base64url";

const LIFE_S = 300;
const SIGNATURE_BYTES = 64;

/** Make one, of today's date and with every right: only its signature is wrong. */
export function forgedToken(): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    sub: "debug-panel",
    aud: "debug-endpoints",
    scope: "debug:read debug:crash debug:load",
    iat: now,
    exp: now + LIFE_S,
  };
  const signature = crypto.getRandomValues(new Uint8Array(SIGNATURE_BYTES));
  return [JSON.stringify({ alg: "EdDSA" }), JSON.stringify(claims), signature].map((piece) => encode(piece)).join(".");
}
