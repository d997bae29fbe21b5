import { expect, test } from "vitest";
import { Gateway, NoAnswer, type Answer } from "../src/gateway";
import { Access } from "../src/panel/access";
import { readService } from "../src/panel/manifest";

const ENDPOINT = { method: "GET", path: "/debug/crash", demonstrates: "an error", status: 500, group: "crash" };
const ACCESS = new Access(new Gateway("http://127.0.0.1:9"), false);

function answer(body: unknown, status = 200): Answer {
  return { status, body, eventId: null, retryAfter: null };
}

test("a manifest gives the endpoints", () => {
  expect(readService("payment", answer({ service: "payment", endpoints: [ENDPOINT] }), ACCESS)).toEqual({
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
  expect(readService("payment", answer(body), ACCESS)).toEqual({
    name: "payment",
    problem: "payment does not answer: its manifest is not understood.",
  });
});

test("the words of an error answer are the reason", () => {
  expect(readService("payment", answer({ error: "payment is not available" }, 502), ACCESS)).toEqual({
    name: "payment",
    problem: "payment does not answer: payment is not available.",
  });
});

test("no answer at all is a reason too", () => {
  expect(readService("payment", new NoAnswer("no answer within 30 seconds"), ACCESS)).toEqual({
    name: "payment",
    problem: "payment does not answer: no answer within 30 seconds.",
  });
});

test("a refusal is a sentence of its own, with its status", () => {
  expect(readService("payment", answer({ error: "not found" }, 404), ACCESS)).toEqual({
    name: "payment",
    problem: "payment has this switched off, or never had it. (HTTP 404)",
  });
});
