// The search dialog: `/` or Ctrl+K opens it; sections are filtered here, people and campaigns by the server.
function palette() {
  return document.querySelector("[data-palette]");
}

function open() {
  const dialog = palette();
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector("input").select();
}

function isTyping(element) {
  return element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);
}

function filterSections(dialog, text) {
  const wanted = text.trim().toLowerCase();
  let shown = 0;
  for (const item of dialog.querySelectorAll("[data-palette-section]")) {
    item.hidden = !item.textContent.trim().toLowerCase().includes(wanted);
    shown += item.hidden ? 0 : 1;
  }
  dialog.querySelector("[data-palette-sections-label]").hidden = shown === 0;
}

function visibleItems(dialog) {
  return [...dialog.querySelectorAll("a.palette-item")].filter((item) => !item.hidden);
}

export function listenForPalette() {
  document.addEventListener("keydown", (event) => {
    const asked = (event.key === "/" && !isTyping(event.target)) || (event.key === "k" && (event.ctrlKey || event.metaKey));
    if (asked && palette() && !event.altKey) {
      event.preventDefault();
      open();
      return;
    }
    const dialog = event.target.closest?.("[data-palette]");
    if (!dialog) return;
    const all = visibleItems(dialog);
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = event.key === "ArrowDown" ? at + 1 : at - 1;
      if (next < 0) dialog.querySelector("input").focus();
      else all[next % all.length].focus();
    } else if (event.key === "Enter" && event.target.tagName === "INPUT") {
      event.preventDefault();
      all[0].click();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette-open]")) open();
  });
  document.addEventListener("input", (event) => {
    const dialog = event.target.closest?.("[data-palette]");
    if (dialog) filterSections(dialog, event.target.value);
  });
}
