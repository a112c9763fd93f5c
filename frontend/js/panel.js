// The left panel is a drawer on a phone. While it is open the page behind it can't be reached by Tab.
const NARROW = matchMedia("(width < 64rem)");
let opener = null;

function panel() {
  return document.querySelector("[data-panel]");
}

function open(button) {
  opener = button;
  panel().toggleAttribute("data-open", true);
  document.querySelector("[data-page]").inert = true;
  button.setAttribute("aria-expanded", "true");
  panel().querySelector("a, button, summary").focus();
}

function close() {
  if (!panel()?.hasAttribute("data-open")) return;
  panel().removeAttribute("data-open");
  document.querySelector("[data-page]").inert = false;
  opener?.setAttribute("aria-expanded", "false");
  opener?.focus();
}

export function listenForPanel() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-panel-open]");
    if (button) open(button);
    else if (event.target.closest("[data-panel-close]")) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) close();
  });
  NARROW.addEventListener("change", (event) => {
    if (!event.matches) close();
  });
}
