/** The pay-in form. Its card number is never sent anywhere, recorded or put into an address. */
import { startAction } from "../action";
import { part } from "../elements";
import { formatCents } from "../money";
import { isCardNumber } from "./card";
import type { Wallet } from "./wallet";

/** Make the form work. */
export function openPayIn(wallet: Wallet): void {
  const form = part("pay-in", HTMLFormElement);
  const card = part("card", HTMLInputElement);
  const amount = part("pay-in-amount", HTMLSelectElement);
  const said = part("pay-in-said", HTMLOutputElement);
  const button = part("pay-in-button", HTMLButtonElement);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!isCardNumber(card.value)) {
      said.value = "This is not a card number; try the test card 4242 4242 4242 4242.";
      card.focus();
      return;
    }
    card.value = "";
    button.disabled = true;
    const cents = Number(amount.value);
    const span = startAction("pay in");
    try {
      await wallet.payIn(cents, span);
      said.value = `${formatCents(cents)} paid in. The card number was checked in this page and forgotten.`;
    } catch (problem) {
      said.value = `Nothing was paid in: ${problem instanceof Error ? problem.message : String(problem)}.`;
    } finally {
      span.end();
      button.disabled = false;
    }
  });
}
