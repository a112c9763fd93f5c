// A filter changes the page as soon as it is chosen, and leaves out of the address what is not set.
function leaveOutEmpty(form) {
  for (const field of form.elements) {
    if (field.name && field.value === "" && field.type !== "submit") field.disabled = true;
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
