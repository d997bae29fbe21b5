/** The form for a token that somebody types in. */
import { part } from "../elements";
import { BadToken, type Access } from "./access";

/**
 * Make it work.
 *
 * @param access that gets the token
 * @param tryIt asks the services with it, and gives what they say against it
 */
export function openTokenForm(access: Access, tryIt: () => Promise<string | undefined>): void {
  const box = part("access", HTMLDetailsElement);
  const state = part("access-state", HTMLElement);
  const field = part("token", HTMLInputElement);
  const said = part("token-said", HTMLOutputElement);
  const describe = (words: string) => state.replaceChildren(words);
  box.open = !access.isSigned;
  describe(access.isSigned ? "a token that this page's own server signs" : "no token given");
  part("token-form", HTMLFormElement).addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      access.use(field.value);
    } catch (problem) {
      if (!(problem instanceof BadToken)) throw problem;
      field.toggleAttribute("aria-invalid", true);
      said.value = problem.message;
      return;
    }
    field.value = "";
    said.value = "Asking the services …";
    const problem = await tryIt();
    field.toggleAttribute("aria-invalid", problem !== undefined);
    said.value = problem ?? "This token opens the panel.";
    describe("a token typed in, kept until the page is left");
  });
}
