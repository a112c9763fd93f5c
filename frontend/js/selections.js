// Rows chosen in a table: shift-click takes a range, the bar shows number and totals, "all N" goes beyond the page.
let lastClicked = null;

function boxes(root) {
  return [...root.querySelectorAll("input[data-select-row]:not(:disabled)")];
}

function formatTotal(minor, currency, digits) {
  const value = Number(minor) / 10 ** digits;
  const format = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(document.documentElement.lang || "en", format).format(value);
}

function totals(chosen) {
  const sums = new Map();
  for (const box of chosen) {
    if (!box.dataset.currency) continue;
    const key = box.dataset.currency;
    const sum = sums.get(key) ?? { minor: 0n, digits: Number(box.dataset.digits) };
    sum.minor += BigInt(box.dataset.amount);
    sums.set(key, sum);
  }
  return [...sums].map(([currency, sum]) => formatTotal(sum.minor, currency, sum.digits)).join(" + ");
}

function countOf(chosen) {
  return chosen.reduce((count, box) => count + Number(box.dataset.count ?? 1), 0);
}

function refresh(root) {
  const all = boxes(root);
  const chosen = all.filter((box) => box.checked);
  for (const box of all) box.closest("tr")?.toggleAttribute("data-chosen", box.checked);

  const header = root.querySelector("input[data-select-page]");
  if (header) {
    header.checked = all.length > 0 && chosen.length === all.length;
    header.indeterminate = chosen.length > 0 && chosen.length < all.length;
    header.disabled = all.length === 0;
  }
  const everything = root.querySelector("input[data-select-everything]");
  const wholePage = all.length > 0 && chosen.length === all.length;
  if (everything && !wholePage) everything.value = "";

  const bar = root.querySelector("[data-selection-bar]");
  if (!bar) return;
  bar.hidden = chosen.length === 0;
  const beyond = Boolean(everything?.value);
  const count = bar.querySelector("[data-selection-count]");
  count.textContent = beyond ? bar.dataset.allCount : String(countOf(chosen));
  const noun = bar.querySelector("[data-selection-one]");
  if (noun) noun.textContent = count.textContent === "1" ? noun.dataset.selectionOne : noun.dataset.selectionMany;
  const sum = bar.querySelector("[data-selection-sum]");
  sum.textContent = beyond ? bar.dataset.allSum : totals(chosen);
  const offer = bar.querySelector("[data-selection-offer]");
  if (offer) offer.hidden = beyond || !wholePage;
}

export function refreshSelections() {
  for (const root of document.querySelectorAll("[data-selection]")) refresh(root);
}

function setRange(root, from, to, checked) {
  const all = boxes(root);
  const [first, last] = [all.indexOf(from), all.indexOf(to)].sort((a, b) => a - b);
  if (first < 0) return;
  for (const box of all.slice(first, last + 1)) box.checked = checked;
}

export function listenForSelections() {
  document.addEventListener("click", (event) => {
    const box = event.target.closest?.("input[data-select-row]");
    if (box) {
      const root = box.closest("[data-selection]");
      if (event.shiftKey && lastClicked?.isConnected && root.contains(lastClicked)) setRange(root, lastClicked, box, box.checked);
      lastClicked = box;
      refresh(root);
      return;
    }
    const header = event.target.closest?.("input[data-select-page]");
    if (header) {
      const root = header.closest("[data-selection]");
      for (const row of boxes(root)) row.checked = header.checked;
      refresh(root);
      return;
    }
    const offer = event.target.closest?.("[data-selection-everything]");
    if (offer) {
      const root = offer.closest("[data-selection]");
      root.querySelector("input[data-select-everything]").value = "1";
      refresh(root);
      return;
    }
    const clear = event.target.closest?.("[data-selection-clear]");
    if (clear) {
      const root = clear.closest("[data-selection]");
      for (const row of boxes(root)) row.checked = false;
      refresh(root);
    }
  });
  window.addEventListener("pageshow", refreshSelections);
}
