const SHOWN_MS = 6_000;
const SHOWN_WITH_UNDO_MS = 12_000;

function dismissLater(toast) {
  const wait = toast.querySelector(".toast-undo") ? SHOWN_WITH_UNDO_MS : SHOWN_MS;
  let timer = setTimeout(() => toast.remove(), wait);
  // Whoever points at it or has it in focus is still reading it.
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) {
    toast.addEventListener(name, () => {
      clearTimeout(timer);
      timer = setTimeout(() => toast.remove(), wait);
    });
  }
}

// `undo` is {url, label}: a POST that takes back what the toast tells of.
export function showToast({ text, undo = null }) {
  const template = document.getElementById("toast-template");
  const place = document.querySelector("[data-toasts]");
  if (!template || !place) return;
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector(".toast-text").textContent = text;
  const button = toast.querySelector(".toast-undo");
  if (undo) {
    button.textContent = undo.label ?? "Undo";
    button.setAttribute("hx-post", undo.url);
    button.setAttribute("hx-swap", "none");
  } else {
    button.remove();
  }
  place.append(toast);
  window.htmx.process(toast);
  dismissLater(toast);
}

export function listenForToasts() {
  document.addEventListener("click", (event) => {
    if (event.target.closest(".toast-close")) event.target.closest(".toast-note").remove();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.target.matches?.(".toast-undo") && event.detail.successful) location.reload();
  });
  // A view answers a fragment with the header HX-Trigger: {"toast": {"text": "…", "undo": {"url": "…"}}}.
  document.addEventListener("toast", (event) => showToast(event.detail));
  document.addEventListener("DOMContentLoaded", () => {
    for (const toast of document.querySelectorAll(".toasts > .toast-note")) dismissLater(toast);
  });
}
