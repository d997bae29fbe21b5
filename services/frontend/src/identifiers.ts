/** A fresh identifier such as `rnd_3f9a12c4`. */
export function newIdentifier(prefix: string): string {
  const digits = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) => byte.toString(16).padStart(2, "0"));
  return `${prefix}_${digits.join("")}`;
}
