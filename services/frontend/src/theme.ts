import { part } from "./elements";

const KEY = "theme";

/** Follow the system's light or dark, until the button chooses the other one. */
export function openTheme(): void {
  const button = part("theme", HTMLButtonElement);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = (): void => {
    const chosen = localStorage.getItem(KEY);
    if (chosen === null) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    const dark = chosen === null ? system.matches : chosen === "dark";
    button.textContent = dark ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    const dark = button.textContent === "Light";
    localStorage.setItem(KEY, dark ? "light" : "dark");
    show();
  });
  system.addEventListener("change", show);
  show();
}
