/** The field for the token that opens the debug endpoints. */
import { part } from "../elements";
import type { Gateway } from "../gateway";
import { loadServices } from "./manifest";
import type { Panel } from "./sections";

/** Ask the services what they can do as soon as there is a token to ask them with. */
export function openAccess(gateway: Gateway, panel: Panel): void {
  const form = part("access", HTMLFormElement);
  const field = part("token", HTMLInputElement);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    gateway.useToken(field.value.trim());
    field.value = "";
    panel.show(await loadServices(gateway));
  });
}
