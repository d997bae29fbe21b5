/** The symbols of a reel, in the order in which they pass by. */
export const STRIP = ["seven", "bar", "bell", "lemon", "cherry"] as const;

/** What three equal symbols pay, in multiples of the bet. */
export const PAYTABLE: Readonly<Record<string, number>> = { seven: 200, bar: 60, bell: 20, lemon: 10, cherry: 5 };

/** What cherries on the first two reels pay. */
export const TWO_CHERRIES = 2;

/**
 * Where a reel must stop to show a symbol.
 *
 * @throws {RangeError} the reel has no such symbol
 */
export function stopOf(symbol: string, reel: number, round: string): number {
  const stop = (STRIP as readonly string[]).indexOf(symbol);
  if (stop < 0) throw new RangeError(`reel ${reel + 1} has no symbol "${symbol}" to stop on in round ${round}`);
  return stop;
}

/**
 * How far a reel turns on before it rests.
 *
 * @param position where it is now, in symbols
 * @param stop of the strip on which it shall rest
 * @param least how far it turns at least, in symbols
 */
export function distanceTo(stop: number, position: number, least: number): number {
  const past = (stop - position - least) % STRIP.length;
  return least + (past < 0 ? past + STRIP.length : past);
}
