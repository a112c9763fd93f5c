// <dialog> elements: opened by data-dialog-open="id", closed by data-dialog-close, Escape (the browser's) or the backdrop.
function watchTypedConfirmation(input) {
  const button = input.closest("form").querySelector("[data-confirm-button]");
  button.disabled = input.value.trim() !== input.dataset.confirmText;
}

const FIELDS = ".dialog-body :is(input:not([type=hidden]), select, textarea):not(:disabled)";

// The keyboard begins at what is wrong, else at the first field, and not at the cross that closes. Afterwards the browser
// gives the focus back to the opener; one in a menu has gone with its menu, whose button then gets it.
function show(dialog, opener = null) {
  const menuButton = opener?.closest("details[data-menu]")?.querySelector("summary");
  if (menuButton) dialog.addEventListener("close", () => menuButton.focus(), { once: true });
  dialog.showModal();
  (dialog.querySelector(`${FIELDS}[aria-invalid=true]`) ?? dialog.querySelector(FIELDS))?.focus();
}

export function listenForDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialogOpen);
      if (dialog) show(dialog, opener);
      return;
    }
    if (event.target.closest("[data-dialog-close]")) {
      event.target.closest("dialog")?.close();
      return;
    }
    // A click on the dialog itself and not on anything in it is a click on its backdrop.
    if (event.target instanceof HTMLDialogElement) {
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside) event.target.close();
    }
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-confirm-text]")) watchTypedConfirmation(event.target);
  });

  // A fragment that brings a dialog with data-dialog-now shows it at once (a preview, a form).
  document.addEventListener("htmx:afterSettle", (event) => {
    const dialog = event.target.querySelector?.("dialog[data-dialog-now]") ?? null;
    if (dialog && !dialog.open) show(dialog);
  });
  document.addEventListener("DOMContentLoaded", () => {
    const dialog = document.querySelector("dialog[data-dialog-now]:not([open])");
    if (dialog) show(dialog);
  });
}
