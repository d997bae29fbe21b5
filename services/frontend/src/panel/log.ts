/** What was triggered, newest first, and how it came out. */
import { element, part } from "../elements";

const ENTRIES_SHOWN = 50;

/** How something came out, in words, with the ids by which it is found in Sentry. */
export interface Outcome {
  /** Whether it is what was announced. */
  asAnnounced: boolean;
  text: string;
  eventId: string | null;
  traceId: string;
}

/** The log of this page. */
export class TriggerLog {
  readonly #list = part("log", HTMLOListElement);
  readonly #empty = part("log-empty", HTMLElement);

  /** Add what has come out. */
  add(name: string, outcome: Outcome): void {
    this.#empty.hidden = true;
    const time = new Date().toLocaleTimeString("en-GB");
    const head = element("p", {}, element("time", {}, time), " ", element("strong", {}, name));
    this.#list.prepend(element("li", {}, head, describe(outcome)));
    while (this.#list.children.length > ENTRIES_SHOWN) this.#list.lastElementChild?.remove();
  }
}

/** An outcome as a line of its own. */
export function describe({ asAnnounced, text, eventId, traceId }: Outcome): HTMLElement {
  return element(
    "p",
    { class: "outcome" },
    element("span", { class: asAnnounced ? "mark good" : "mark odd" }, asAnnounced ? "✓ " : "! ", text),
    ...(eventId === null ? [] : [identifier("event", eventId)]),
    identifier("trace", traceId),
  );
}

function identifier(kind: string, id: string): HTMLElement {
  const short = id.slice(0, 8);
  const button = element("button", { type: "button", class: "copy", "aria-label": `Copy ${kind} id ${short}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(id);
      button.textContent = "Copied";
    } catch {
      // Browsers give the clipboard only to https and localhost, and only if nobody has forbidden it.
      button.textContent = "Select it";
    }
  });
  return element("span", { class: "id" }, `${kind} `, element("code", { title: id, "data-id": id }, short), " ", button);
}
