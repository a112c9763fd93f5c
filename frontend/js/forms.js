import { showToast } from "./toasts.js";

// A filter changes the page as soon as it is chosen, and leaves out of the address what is not set.
function leaveOutEmpty(form) {
  for (const field of form.elements) {
    if (field.name && field.value === "" && field.type !== "submit") field.disabled = true;
  }
}

// Long enough for the browser to have taken the file before the page is left.
const TAKEN_MS = 500;

// A POST that answers with a file leaves its page as it was, which by then is out of date: so the file is fetched and
// handed over, and the page shown anew. A redirect means that there was none; the page then says why.
async function download(form) {
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
    if (response.type === "opaqueredirect") {
      location.reload();
      return;
    }
    if (!response.ok) throw new Error(response.statusText);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = response.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1] ?? "";
    link.click();
    setTimeout(() => location.reload(), TAKEN_MS);
  } catch {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
    showToast({ text: "The file did not arrive. Try again." });
  }
}

export function listenForForms() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-filters]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=date]")) form.requestSubmit();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.matches("[data-filters]")) leaveOutEmpty(form);
    // The second click on a button that moves money does nothing; the server refuses it as well.
    if (form.method !== "post" || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
    if (form.matches("[data-download]")) {
      event.preventDefault();
      download(form);
    }
  });

  // Coming back by the back button shows the page as it was left, and it must be usable again.
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) {
      delete form.dataset.sent;
      if (form.matches("[data-filters]")) for (const field of form.elements) field.disabled = false;
    }
    for (const button of document.querySelectorAll("[aria-busy=true][type=submit]")) button.removeAttribute("aria-busy");
  });
}
