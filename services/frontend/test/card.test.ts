import { expect, test } from "vitest";
import { isCardNumber } from "../src/slot/card";

test.each(["4242 4242 4242 4242", "5555555555554444", "3782-822463-10005"])("%s is a card number", (text) => {
  expect(isCardNumber(text)).toBe(true);
});

test.each(["", "4242 4242 4242 4241", "4242", "4242 4242 4242 424x", "0".repeat(20)])("%j is none", (text) => {
  expect(isCardNumber(text)).toBe(false);
});
