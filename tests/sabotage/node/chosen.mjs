/**
 * The sabotage to carry out, by the second half of SABOTAGE.
 *
 * @template T
 * @param {Record<string, T>} sabotages what a stand-in can do, by name
 * @returns {T}
 */
export function chosen(sabotages) {
  const name = process.env.SABOTAGE.split(".")[1];
  if (!(name in sabotages)) {
    throw new Error(`there is no sabotage ${process.env.SABOTAGE}, but: ${Object.keys(sabotages).join(", ")}`);
  }
  return sabotages[name];
}
