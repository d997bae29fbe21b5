import { expect, test } from "vitest";
import { distanceTo, STRIP, stopOf } from "../src/slot/strip";

test("wherever a reel is, it comes to rest on its symbol after at least so much of a turn", () => {
  for (const symbol of STRIP) {
    for (const position of [0, 0.25, 3.75, 4.999, 117.5]) {
      const distance = distanceTo(stopOf(symbol, 0, "rnd_1"), position, 6);
      expect(distance).toBeGreaterThanOrEqual(6);
      expect(distance).toBeLessThan(6 + STRIP.length);
      expect(STRIP[Math.round(position + distance) % STRIP.length]).toBe(symbol);
    }
  }
});

test("a symbol that the reel does not have is an error that names reel and round", () => {
  expect(() => stopOf("joker", 1, "rnd_1")).toThrow(
    new RangeError('reel 2 has no symbol "joker" to stop on in round rnd_1'),
  );
});
