// Menus are <details data-menu>: they open without this; here they get arrow keys, Escape and a click outside.
// Kept free between a list and the edge of the window.
const EDGE = 16;
const ITEMS = "[data-menu-item]:not([disabled]):not([aria-disabled='true'])";

function items(menu) {
  return [...menu.querySelectorAll(ITEMS)];
}

function step(menu, key) {
  const all = items(menu);
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? all.length - 1 : at - 1, Home: 0, End: all.length - 1 }[key];
  all[(next + all.length) % all.length].focus();
}

function jump(menu, letter) {
  const all = items(menu);
  const from = all.indexOf(document.activeElement) + 1;
  const match = [...all.slice(from), ...all.slice(0, from)].find((item) =>
    item.textContent.trim().toLowerCase().startsWith(letter));
  match?.focus();
}

// The bar at the top stays over what is scrolled under it, lists of menus in the page among it.
function ceiling(menu) {
  const bar = menu.closest(".topbar, .panel") ? null : document.querySelector(".topbar");
  return Math.max(bar?.getBoundingClientRect().bottom ?? 0, 0);
}

// Where there is room: to the side that the page asks for if the whole list fits there, else to the larger one.
function place(menu) {
  const list = menu.querySelector(".menu-list");
  const button = menu.querySelector("summary").getBoundingClientRect();
  const room = { up: button.top - ceiling(menu) - EDGE, down: window.innerHeight - button.bottom - EDGE };
  const asked = menu.classList.contains("menu-up") ? "up" : "down";
  const other = asked === "up" ? "down" : "up";
  const side = room[asked] >= list.scrollHeight || room[asked] >= room[other] ? asked : other;
  menu.dataset.side = side;
  list.style.setProperty("--menu-room", `${Math.max(room[side], 96)}px`);
}

export function listenForMenus() {
  // It doesn't bubble.
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("details[data-menu][open]")) place(event.target);
  }, true);

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      const chose = event.target.closest("[data-menu-item]") && menu.contains(event.target);
      if (!menu.contains(event.target) || chose) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    const menu = event.target.closest?.("details[data-menu]");
    if (!menu) return;
    const onSummary = event.target.tagName === "SUMMARY";
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
      event.preventDefault();
    } else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) && (menu.open || onSummary)) {
      event.preventDefault();
      menu.open = true;
      step(menu, event.key);
    } else if (menu.open && !onSummary && /^[a-z0-9]$/i.test(event.key) && !event.ctrlKey && !event.metaKey) {
      jump(menu, event.key.toLowerCase());
    }
  });

  document.addEventListener("focusout", (event) => {
    const menu = event.target.closest?.("details[data-menu][open]");
    if (menu && event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}
