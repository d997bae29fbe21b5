/** The sections of the panel, made of what the services say that they can do. */
import type { Configuration } from "../configuration";
import { element, part } from "../elements";
import { REPLAYED_SESSIONS, TRACES_SAMPLE_RATE } from "../instrumentation";
import type { Access } from "./access";
import { endpointTrigger, refusals } from "./calls";
import { TriggerLog } from "./log";
import { loadService, loadServices, type Endpoint, type Service } from "./manifest";
import { failureTrigger, type Failure } from "./provoking";
import { triggerButton, type Trigger } from "./trigger";

/** Which section shows which of the services' groups; a group that is not named is specific to its service. */
const SECTIONS = { crash: "crashes", load: "load", specific: "specific" };

/** The sections, and the log of what they trigger. */
export class Panel {
  readonly #log = new TriggerLog();
  readonly #access: Access;
  #services: Service[] = [];

  constructor(access: Access, failures: readonly Failure[]) {
    this.#access = access;
    const triggers = failures.map(failureTrigger);
    part("frontend-groups", HTMLElement).replaceChildren(this.#list(triggers));
  }

  /**
   * Ask all services, and show their endpoints, or why they are not known.
   *
   * @returns what keeps the gateway, and so all of them, from being known
   */
  async load(): Promise<string | undefined> {
    const services = await loadServices(this.#access);
    this.#show(services);
    const [gateway] = services;
    return gateway !== undefined && "problem" in gateway ? gateway.problem : undefined;
  }

  #show(services: Service[]): void {
    this.#services = services;
    for (const [group, section] of Object.entries(SECTIONS)) {
      this.#fill(section, services, (name, endpoints) =>
        endpoints
          .filter((endpoint) => sectionOf(endpoint) === group)
          .map((endpoint) => endpointTrigger(this.#access, name, endpoint)),
      );
    }
    this.#fill("safety", services, (name, endpoints) => refusals(this.#access, name, endpoints));
  }

  #fill(section: string, services: Service[], triggers: (name: string, endpoints: readonly Endpoint[]) => Trigger[]): void {
    const groups = services.map((service) => {
      if ("problem" in service) return this.#missing(service.name, service.problem);
      const made = triggers(service.name, service.endpoints);
      return made.length === 0 ? "" : group(service.name, this.#list(made));
    });
    part(`${section}-groups`, HTMLElement).replaceChildren(...groups);
  }

  #list(triggers: Trigger[]): HTMLElement {
    return element("ul", { class: "endpoints" }, ...triggers.map((trigger) => triggerButton(trigger, this.#log)));
  }

  #missing(name: string, problem: string): HTMLElement {
    const again = element("button", { type: "button", class: "again" }, `Ask ${name} again`);
    again.addEventListener("click", async () => {
      again.disabled = true;
      // Only the gateway knows which services there are.
      if (name === "gateway") return void (await this.load());
      const service = await loadService(this.#access, name);
      this.#show(this.#services.map((known) => (known.name === name ? service : known)));
    });
    return group(name, element("p", { class: "missing", role: "status" }, problem, " ", again));
  }
}

function group(name: string, content: HTMLElement): HTMLElement {
  return element("div", { class: "group" }, element("h3", {}, name), content);
}

function sectionOf({ group }: Endpoint): string {
  return group in SECTIONS ? group : "specific";
}

/** Say what leaves this page for Sentry. */
export function showFacts({ dsn, release, environment, gatewayUrl }: Configuration): void {
  const percent = (rate: number) => `${100 * rate} %`;
  const facts: Record<string, string> = {
    Telemetry: dsn === null ? "switched off, no DSN is configured" : `to ${new URL(dsn).host}`,
    Gateway: gatewayUrl,
    Release: release ?? "not set",
    Environment: environment ?? "not set",
    Traces: percent(TRACES_SAMPLE_RATE),
    Replay: `${percent(REPLAYED_SESSIONS.onError)} of sessions with an error, ${percent(REPLAYED_SESSIONS.always)} of the others`,
    "In a replay": "all text and inputs masked, the fields for card and token left out",
    "Never sent": "headers, cookies, bodies, query parameters",
  };
  part("facts", HTMLDListElement).replaceChildren(
    ...Object.entries(facts).flatMap(([term, fact]) => [element("dt", {}, term), element("dd", {}, fact)]),
  );
}
