import htmx from "htmx.org";

import { mountCharts } from "./chart-loader.js";
import { listenForCopying } from "./copying.js";
import { listenForDialogs } from "./dialogs.js";
import { listenForForms } from "./forms.js";
import { listenForMenus } from "./menus.js";
import { listenForPalette } from "./palette.js";
import { listenForPanel } from "./panel.js";
import { listenForExpanders } from "./expanders.js";
import { listenForSelections, refreshSelections } from "./selections.js";
import { showCurrentTab } from "./tabs.js";
import { listenForTheme } from "./theme.js";
import { showTimes } from "./times.js";
import { listenForToasts, showToast } from "./toasts.js";
import { fillInTimeZones } from "./zones.js";

// The content security policy allows no eval and no inline style; with these off htmx needs neither.
htmx.config.allowEval = false;
htmx.config.allowScriptTags = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
htmx.config.refreshOnHistoryMiss = true;
// A 422 answer is a form with its messages, and belongs in the page.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "422", swap: true },
  { code: "[45]..", swap: false, error: true },
];
window.htmx = htmx;

listenForTheme();
listenForPanel();
listenForMenus();
listenForPalette();
listenForDialogs();
listenForCopying();
listenForForms();
listenForExpanders();
listenForSelections();
listenForToasts();

// What has to be looked at again when a fragment arrives; everything else listens on the document.
function dress(root) {
  showTimes(root);
  mountCharts(root);
  refreshSelections();
  showCurrentTab(root);
}

document.addEventListener("DOMContentLoaded", () => {
  dress(document);
  fillInTimeZones();
});
document.addEventListener("htmx:afterSettle", (event) => dress(event.target));

document.addEventListener("htmx:responseError", (event) => {
  const status = event.detail.xhr.status;
  const text = status === 403 || status === 401
    ? "You may not do this. Ask an owner for another role, or sign in again."
    : "That did not work. Nothing was changed; try again.";
  showToast({ text });
});
document.addEventListener("htmx:sendError", () => showToast({ text: "No connection to the server. Try again in a moment." }));
