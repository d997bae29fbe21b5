/** The slot machine: a round is played by the game engine, through the gateway. */
import * as Sentry from "@sentry/browser";
import { startAction } from "../action";
import { element, part } from "../elements";
import { explain, NoAnswer, pathOf, type Answer, type Gateway } from "../gateway";
import { CURRENCY, formatCents } from "../money";
import { symbolImage, type Reels } from "./reels";
import { PAYTABLE, STRIP, TWO_CHERRIES } from "./strip";
import type { Wallet } from "./wallet";

const ROUNDS_SHOWN = 5;

interface Round {
  round_id: string;
  line: string[];
  bet_cents: number;
  payout_cents: number;
  balance_cents: number;
}

/** Make the machine work. */
export function openMachine(gateway: Gateway, wallet: Wallet, reels: Reels): void {
  const button = part("spin", HTMLButtonElement);
  const result = part("result", HTMLOutputElement);
  showPaytable();
  tellBet(chosenBet());
  part("bets", HTMLFieldSetElement).addEventListener("change", () => tellBet(chosenBet()));
  button.addEventListener("click", async () => {
    // A disabled button would lose the keyboard's focus.
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    result.value = "Good luck …";
    try {
      const playing = play(gateway, wallet.player, chosenBet());
      const landing = playing.then(({ round_id: round, line }) => ({ round, line }));
      await reels.spin(landing);
      const round = await playing;
      wallet.show(round.balance_cents);
      showRound(round, result);
    } catch (problem) {
      if (!(problem instanceof NotPlayed)) throw problem;
      result.value = `No round was played: ${problem.message}.`;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
}

class NotPlayed extends Error {
  override name = "NotPlayed";
}

async function play(gateway: Gateway, player: string, betCents: number): Promise<Round> {
  Sentry.addBreadcrumb({
    category: "slot.bet",
    message: `Bet of ${betCents} cents placed`,
    data: { user_id: player, bet_cents: betCents },
    level: "info",
  });
  const span = startAction("spin", { "slot.bet_cents": String(betCents) });
  const json = { player_id: player, bet_cents: betCents, currency: CURRENCY };
  let answer: Answer;
  try {
    answer = await gateway.ask(pathOf("game-engine", "/spin"), { method: "POST", json }, span);
  } catch (problem) {
    if (problem instanceof NoAnswer) throw new NotPlayed(problem.message, { cause: problem });
    throw problem;
  } finally {
    span.end();
  }
  if (answer.status !== 200) throw new NotPlayed(explain(answer));
  const round = answer.body as Round;
  Sentry.addBreadcrumb({
    category: "slot.result",
    message: `Round ${round.round_id} stops on ${round.line.join("-")}`,
    data: { round_id: round.round_id, payout_cents: round.payout_cents, balance_cents: round.balance_cents },
    level: "info",
  });
  return round;
}

function showRound(round: Round, result: HTMLOutputElement): void {
  const won = round.payout_cents > 0;
  const line = round.line.join(", ");
  result.value = won ? `${line}: you win ${formatCents(round.payout_cents)}!` : `${line}: no win this time.`;
  result.classList.toggle("won", won);
  const rounds = part("rounds", HTMLOListElement);
  const paid = element("span", { class: won ? "won" : "" }, won ? `+${formatCents(round.payout_cents)}` : "no win");
  const symbols = element("span", { class: "line", role: "img", "aria-label": line }, ...round.line.map(symbolImage));
  rounds.prepend(element("li", {}, symbols, element("span", {}, `bet ${formatCents(round.bet_cents)}`), paid));
  while (rounds.children.length > ROUNDS_SHOWN) rounds.lastElementChild?.remove();
}

function chosenBet(): number {
  const chosen = document.querySelector<HTMLInputElement>("#bets input:checked");
  return Number(chosen?.value);
}

function tellBet(cents: number): void {
  Sentry.setContext("bet", { bet_cents: cents, currency: CURRENCY });
}

function showPaytable(): void {
  const rows = STRIP.map((symbol) => payRow([symbol, symbol, symbol], PAYTABLE[symbol] ?? 0));
  part("paytable", HTMLUListElement).replaceChildren(...rows, payRow(["cherry", "cherry"], TWO_CHERRIES));
}

function payRow(symbols: readonly string[], factor: number): HTMLElement {
  const line = element("span", { class: "line", role: "img", "aria-label": symbols.join(", ") }, ...symbols.map(symbolImage));
  return element("li", {}, line, `×${factor}`);
}
