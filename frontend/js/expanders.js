// A row that opens to its details: aria-controls names the detail row, data-url where its content comes from, once.
export function listenForExpanders() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-expander]");
    if (!button) return;
    const detail = document.getElementById(button.getAttribute("aria-controls"));
    const opening = detail.hidden;
    detail.hidden = !opening;
    button.setAttribute("aria-expanded", String(opening));
    if (opening && button.dataset.url && !detail.dataset.loaded) {
      detail.dataset.loaded = "yes";
      const target = detail.querySelector("td") ?? detail;
      window.htmx.ajax("GET", button.dataset.url, { target, swap: "innerHTML" });
    }
  });
}
