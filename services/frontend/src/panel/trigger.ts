/** One button of the panel, with the state of what it triggers beside it. */
import { element } from "../elements";
import { describe, type Outcome, type TriggerLog } from "./log";

let made = 0;

export interface Trigger {
  /** Accessible name, such as `payment GET /debug/crash`. */
  name: string;
  /** What is written on the button: a part of the name. */
  label: string;
  /** What it does and what Sentry gets to see. */
  about: string;
  /** What is announced to come back, such as `500`. */
  announced: string;
  run: () => Promise<Outcome>;
}

/** Make the button. While it runs it does not react. */
export function triggerButton({ name, label, about, announced, run }: Trigger, log: TriggerLog): HTMLElement {
  const id = `about-${(made += 1)}`;
  const button = element(
    "button",
    { type: "button", class: "trigger", "aria-label": name, "aria-describedby": id },
    element("span", { class: "label" }, label),
    element("span", { class: "announced" }, announced),
  );
  const state = element("div", { class: "state" });
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    state.replaceChildren(element("p", { class: "outcome running" }, "running …"));
    try {
      const outcome = await run();
      state.replaceChildren(describe(outcome));
      log.add(name, outcome);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return element("li", { class: "endpoint" }, button, element("p", { class: "about", id }, about), state);
}
