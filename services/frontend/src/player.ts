import { newIdentifier } from "./identifiers";

const KEY = "player";

/** The player of this tab: the same after a reload, somebody else in every other tab. */
export function currentPlayer(): string {
  const known = sessionStorage.getItem(KEY);
  if (known !== null) return known;
  const player = newIdentifier("player");
  sessionStorage.setItem(KEY, player);
  return player;
}
