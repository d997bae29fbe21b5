import { expect, test } from "vitest";
import { NoAnswer, type Answer } from "../src/gateway";
import { readService } from "../src/panel/manifest";

const ENDPOINT = { method: "GET", path: "/debug/crash", demonstrates: "an error", status: 500, group: "crash" };

function answer(body: unknown, status = 200): Answer {
  return { status, body, eventId: null };
}

test("a manifest gives the endpoints", () => {
  expect(readService("payment", answer({ service: "payment", endpoints: [ENDPOINT] }))).toEqual({
    name: "payment",
    endpoints: [ENDPOINT],
  });
});

test.each([
  ["no list", {}],
  ["no JSON", undefined],
  ["an entry without a status", { endpoints: [{ ...ENDPOINT, status: undefined }] }],
  ["an entry that is no object", { endpoints: [null] }],
])("%s is said to be no manifest", (_case, body) => {
  expect(readService("payment", answer(body))).toEqual({ name: "payment", problem: "its manifest is not understood" });
});

test("the words of an error answer are the reason", () => {
  expect(readService("payment", answer({ error: "payment is not available" }, 502))).toEqual({
    name: "payment",
    problem: "payment is not available",
  });
});

test("no answer at all is a reason too", () => {
  expect(readService("payment", new NoAnswer("no answer within 30 seconds"))).toEqual({
    name: "payment",
    problem: "no answer within 30 seconds",
  });
});
