const EUROS = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

export const CURRENCY = "EUR";

/** Cents as people read them: `€12.50`. */
export function formatCents(cents: number): string {
  return EUROS.format(cents / 100);
}
