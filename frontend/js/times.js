// The server writes the time in the organization's zone with the exact moment as its title; this adds how long ago.
const STEPS = [
  [60, "second", 1],
  [3_600, "minute", 60],
  [86_400, "hour", 3_600],
  [2_592_000, "day", 86_400],
  [31_536_000, "month", 2_592_000],
  [Infinity, "year", 31_536_000],
];

function distance(moment) {
  const seconds = Math.round((moment - Date.now()) / 1000);
  const [, unit, length] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  return format.format(Math.round(seconds / length), unit);
}

function sayHowLongAgo(element) {
  element.dataset.exact ??= element.title;
  element.title = `${element.dataset.exact} · ${distance(new Date(element.dateTime))}`;
}

export function showTimes(root) {
  for (const element of root.querySelectorAll?.("time[data-relative]") ?? []) {
    element.dataset.exact ??= element.title;
    element.textContent = distance(new Date(element.dateTime));
  }
}

document.addEventListener("mouseover", (event) => {
  const element = event.target.closest?.("time[data-time]");
  if (element) sayHowLongAgo(element);
});
