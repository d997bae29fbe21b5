// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { InsufficientFunds, Ledger, LedgerImbalance } from "../src/ledger/ledger.mjs";
import { Wallets } from "../src/ledger/wallets.mjs";

test("a transaction that does not balance books nothing", () => {
  const ledger = new Ledger();
  assert.throws(
    () =>
      ledger.book("txn_1", [
        { account: "house:EUR", cents: -10 },
        { account: "player:anna", cents: 9 },
      ]),
    new LedgerImbalance("postings of transaction txn_1 are off by -1 cents"),
  );
  assert.equal(ledger.balance("player:anna"), 0);
  assert.equal(ledger.balance("house:EUR"), 0);
});

test("a transaction that overdraws one player books nothing for anybody", () => {
  const ledger = new Ledger();
  assert.throws(
    () =>
      ledger.book("txn_1", [
        { account: "player:anna", cents: 10 },
        { account: "player:boris", cents: -10 },
      ]),
    InsufficientFunds,
  );
  assert.equal(ledger.balance("player:anna"), 0);
});

test("money neither appears nor vanishes over many payments, refused and repeated ones included", () => {
  const ledger = new Ledger();
  const wallets = new Wallets(ledger, 1000);
  let expected = 1000;
  for (let number = 0; number < 200; number += 1) {
    const type = number % 3 === 0 ? "credit" : "debit";
    const amountCents = 1 + ((number * 37) % 90);
    /** @type {import("../src/ledger/payment.mjs").Payment} */
    const payment = { playerId: "anna", type, amountCents, currency: "EUR", reference: `r${number}` };
    if (type === "debit" && amountCents > expected) {
      assert.throws(() => wallets.process(payment), InsufficientFunds);
      continue;
    }
    expected += type === "credit" ? amountCents : -amountCents;
    assert.equal(wallets.process(payment).balanceCents, expected);
    assert.equal(wallets.process(payment).replayed, true);
    assert.equal(ledger.total(), 0);
  }
  assert.equal(wallets.state("anna").balanceCents, expected);
});
