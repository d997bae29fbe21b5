/** The player's balance: kept by the payment service, shown here. */
import * as Sentry from "@sentry/browser";
import type { Span } from "@sentry/browser";
import { explain, pathOf, type Gateway } from "../gateway";
import { newIdentifier } from "../identifiers";
import { CURRENCY, formatCents } from "../money";

/** What the player has, as far as it is known. */
export class Wallet {
  readonly #gateway: Gateway;
  readonly #output: HTMLOutputElement;

  constructor(
    gateway: Gateway,
    readonly player: string,
    output: HTMLOutputElement,
  ) {
    this.#gateway = gateway;
    this.#output = output;
  }

  /** Show a balance, and let every report tell it. */
  show(cents: number): void {
    this.#output.value = formatCents(cents);
    Sentry.setContext("wallet", { balance_cents: cents, currency: CURRENCY });
  }

  /**
   * Ask payment for the balance.
   *
   * @throws {Error} it is not told; the message says why
   */
  async load(): Promise<void> {
    const answer = await this.#gateway.ask(pathOf("payment", `/balance/${this.player}`));
    if (answer.status !== 200) throw new Error(explain(answer));
    this.show((answer.body as { balance_cents: number }).balance_cents);
  }

  /**
   * Pay in.
   *
   * @param span of the click
   * @throws {Error} nothing was paid in; the message says why
   */
  async payIn(cents: number, span: Span): Promise<void> {
    const reference = newIdentifier("dep");
    Sentry.addBreadcrumb({
      category: "wallet.pay-in",
      message: `Pay-in ${reference} begun`,
      data: { user_id: this.player, amount_cents: cents },
      level: "info",
    });
    const json = { player_id: this.player, type: "credit", amount_cents: cents, currency: CURRENCY, reference };
    const answer = await this.#gateway.ask(pathOf("payment", "/process"), { method: "POST", json }, span);
    if (answer.status !== 200) throw new Error(explain(answer));
    this.show((answer.body as { balance_cents: number }).balance_cents);
  }
}
