/** A card number is looked at here and goes nowhere. */

/** Whether the digits are those of a card, by their check digit (ISO/IEC 7812-1, annex B). */
export function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, "");
  if (!/^\d{12,19}$/.test(digits)) return false;
  const sum = [...digits]
    .reverse()
    .map(Number)
    .reduce((total, digit, index) => total + (index % 2 === 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9), 0);
  return sum % 10 === 0;
}
