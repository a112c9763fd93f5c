// The choice is a cookie, so that the server writes it into <html data-theme> and no page flashes in the other theme.
const YEAR_SECONDS = 31_536_000;

function choose(name) {
  const root = document.documentElement;
  if (name === "light" || name === "dark") root.dataset.theme = name;
  else delete root.dataset.theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${name}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${secure}`;
  document.dispatchEvent(new CustomEvent("theme:changed"));
}

function markChoice() {
  const current = document.documentElement.dataset.theme ?? "system";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === current));
  }
}

export function listenForTheme() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    choose(button.dataset.themeChoice);
    markChoice();
  });
  document.addEventListener("DOMContentLoaded", markChoice);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new CustomEvent("theme:changed"));
  });
}
