// Chart.js is by far the largest part, so it is fetched only by a page that has a chart.
let loading = null;

function load() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.chartsScript;
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error("The chart script could not be loaded")));
    document.head.append(script);
  });
  return loading;
}

export async function mountCharts(root) {
  const figures = [...(root.querySelectorAll?.("[data-chart]") ?? [])];
  if (!figures.length || !document.body.dataset.chartsScript) return;
  await load();
  for (const figure of figures) window.rocketCharts.mount(figure);
}

document.addEventListener("theme:changed", () => window.rocketCharts?.repaint());
