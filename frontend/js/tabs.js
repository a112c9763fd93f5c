// A row of tabs that is wider than a phone begins where the open one can be seen.
export function showCurrentTab(root) {
  for (const tab of root.querySelectorAll(".tab-link[aria-current]")) {
    const row = tab.parentElement;
    row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
  }
}
