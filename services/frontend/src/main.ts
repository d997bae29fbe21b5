/** Starts the page. */
import * as Sentry from "@sentry/browser";
import { loadConfiguration } from "./configuration";
import { part } from "./elements";
import { Gateway } from "./gateway";
import { startInstrumentation } from "./instrumentation";
import { Access } from "./panel/access";
import { failures } from "./panel/failures";
import { Panel, showFacts } from "./panel/sections";
import { openTokenForm } from "./panel/token-form";
import { currentPlayer } from "./player";
import { openMachine } from "./slot/machine";
import { openPayIn } from "./slot/pay-in";
import { Reels } from "./slot/reels";
import { Wallet } from "./slot/wallet";
import { openTheme } from "./theme";

openTheme();
try {
  const configuration = await loadConfiguration();
  const player = currentPlayer();
  startInstrumentation(configuration, player);
  const gateway = new Gateway(configuration.gatewayUrl);
  const wallet = new Wallet(gateway, player, part("balance", HTMLOutputElement));
  const reels = new Reels(part("reels", HTMLElement));
  openMachine(gateway, wallet, reels);
  openPayIn(wallet);
  showFacts(configuration);
  const access = new Access(gateway, configuration.signsTokens);
  const panel = new Panel(access, failures(reels, part("card", HTMLInputElement)));
  const balance = wallet.load().catch((problem: Error) => {
    part("result", HTMLOutputElement).value = `The balance is not known: ${problem.message}.`;
  });
  openTokenForm(access, () => panel.load());
  await Promise.all([panel.load(), balance]);
} catch (problem) {
  part("result", HTMLOutputElement).value = `The page could not start: ${String(problem)}. Reload it.`;
  throw problem;
} finally {
  Sentry.reportPageLoaded();
  document.documentElement.dataset.ready = "true";
}
