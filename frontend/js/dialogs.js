// <dialog> elements: opened by data-dialog-open="id", closed by data-dialog-close, Escape (the browser's) or the backdrop.
function watchTypedConfirmation(input) {
  const button = input.closest("form").querySelector("[data-confirm-button]");
  button.disabled = input.value.trim() !== input.dataset.confirmText;
}

export function listenForDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialogOpen);
      dialog?.showModal();
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
    if (dialog && !dialog.open) dialog.showModal();
  });
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("dialog[data-dialog-now]:not([open])")?.showModal();
  });
}
