/** The front end's own failures. Each says something else every time: the SDK drops an error like the one before. */
import * as Sentry from "@sentry/browser";
import { newIdentifier } from "../identifiers";
import type { Reels } from "../slot/reels";
import { blockPage } from "./long-task";
import type { Failure } from "./provoking";

class LeaderboardUnavailable extends Error {
  override name = "LeaderboardUnavailable";
}

/** All of them, in the order in which they are shown. */
export function failures(reels: Reels, card: HTMLInputElement): Failure[] {
  return [
    {
      name: "uncaught-error",
      about: "An error that nobody catches reaches the window",
      announced: "error",
      fail: () => queueMicrotask(() => highlightPayline(4, newIdentifier("rnd"))),
    },
    {
      name: "unhandled-rejection",
      about: "A promise that nobody awaits rejects",
      announced: "error",
      fail: () => void refreshJackpot(newIdentifier("jkp")),
    },
    {
      name: "failed-fetch",
      about: "A request breaks before its answer: a handled error, with the request as a failed span",
      announced: "error",
      fail: () => loadLeaderboard(newIdentifier("ldb")),
    },
    {
      name: "spin-animation-error",
      about: "The animation frame of a spin throws: a reel shall stop on a symbol that it does not have",
      announced: "error",
      fail: () => reels.spin(Promise.resolve({ round: newIdentifier("rnd"), line: ["seven", "joker", "bell"] })),
    },
    {
      name: "long-task",
      about: "The page is blocked for a quarter of a second; reported as a message with the measured time",
      announced: "message",
      fail: blockPage,
    },
    {
      name: "console-error",
      about: "Something is written to the console as an error, which is reported as a message",
      announced: "message",
      fail: () => console.error(`The shown balance differs from the wallet's by 5 cents in ${newIdentifier("rnd")}`),
    },
    {
      name: "user-feedback",
      about: "A player's words arrive as a feedback item, linked to the last error",
      announced: "feedback",
      fail: sendFeedback,
    },
    {
      name: "replay",
      about: "A card number is typed, then an error follows: its replay shows the page, and never the card",
      announced: "error, replay",
      fail: () => failWhileTyping(card),
    },
  ];
}

function highlightPayline(payline: number, round: string): void {
  Sentry.addBreadcrumb({ category: "slot.payline", message: `Highlighting payline ${payline}`, data: { round_id: round } });
  throw new RangeError(`payline ${payline} of round ${round} does not exist`);
}

async function refreshJackpot(jackpot: string): Promise<void> {
  Sentry.addBreadcrumb({ category: "jackpot.refresh", message: `Refreshing jackpot ${jackpot}` });
  await Promise.resolve();
  throw new Error(`jackpot ${jackpot} has no amount`);
}

async function loadLeaderboard(leaderboard: string): Promise<void> {
  Sentry.addBreadcrumb({ category: "leaderboard.load", message: `Loading leaderboard ${leaderboard}` });
  try {
    await fetch("/broken-connection");
  } catch (problem) {
    // Not linked as its cause: the SDK compares the innermost cause with that of the last event and drops the second
    // "Failed to fetch", whatever the error around it says.
    Sentry.captureException(new LeaderboardUnavailable(`leaderboard ${leaderboard} could not be loaded: ${problem}`));
  }
}

function sendFeedback(): void {
  const associatedEventId = Sentry.lastEventId();
  Sentry.captureFeedback({
    name: "Debug Player",
    message: `The reels stopped and nothing happened (${newIdentifier("fdb")})`,
    ...(associatedEventId !== undefined && { associatedEventId }),
  });
}

function failWhileTyping(card: HTMLInputElement): void {
  const form = newIdentifier("frm");
  // The number that payment providers reserve for tests.
  card.value = "4242 4242 4242 4242";
  try {
    Sentry.addBreadcrumb({ category: "pay-in.check", message: `Checking form ${form}`, data: { form_id: form } });
    throw new Error(`form ${form} could not be checked: the payment provider's script is missing`);
  } catch (error) {
    Sentry.captureException(error);
  } finally {
    card.value = "";
  }
}
