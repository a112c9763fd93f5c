import {
  BarController, BarElement, CategoryScale, Chart, Filler, LinearScale, LineController, LineElement, PointElement, Tooltip,
} from "chart.js";

Chart.register(BarController, BarElement, CategoryScale, Filler, LinearScale, LineController, LineElement, PointElement, Tooltip);

const mounted = new Map();

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--color-${name}`).trim();
}

function language() {
  return document.documentElement.lang || "en";
}

// Values arrive as integers in minor units where there is a currency, and as counts where there is none.
function formatter(data, compact) {
  const digits = data.digits ?? 0;
  const style = data.currency
    ? { style: "currency", currency: data.currency, minimumFractionDigits: compact ? 0 : digits, maximumFractionDigits: digits }
    : { maximumFractionDigits: 0 };
  if (compact) Object.assign(style, { notation: "compact", maximumFractionDigits: 1 });
  const format = new Intl.NumberFormat(language(), style);
  return (value) => format.format(data.currency ? value / 10 ** digits : value);
}

function datasets(data, kind) {
  return data.series.map((series, index) => {
    const stroke = color(`chart-${(index % 4) + 1}`);
    const shared = { label: series.name, data: series.values, borderColor: stroke };
    if (kind === "bar") return { ...shared, backgroundColor: stroke, borderRadius: 3, maxBarThickness: 28, borderWidth: 0 };
    const fade = data.series.length === 1 ? `color-mix(in srgb, ${stroke} 12%, transparent)` : "transparent";
    return {
      ...shared, backgroundColor: fade, fill: data.series.length === 1, borderWidth: 2, pointRadius: 0,
      pointHoverRadius: 4, pointHitRadius: 12, tension: 0.25, pointHoverBackgroundColor: stroke,
    };
  });
}

function options(data, kind) {
  const exact = formatter(data, false);
  const short = formatter(data, true);
  const text = color("muted");
  const font = { family: getComputedStyle(document.body).fontFamily, size: 11 };
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? false : { duration: 250 },
    interaction: { mode: "index", intersect: false },
    scales: {
      x: { grid: { display: false }, border: { color: color("line") }, ticks: { color: text, font, maxRotation: 0, autoSkip: kind !== "bar" || data.labels.length > 8, autoSkipPadding: 24 } },
      y: {
        beginAtZero: true,
        border: { display: false },
        grid: { color: color("chart-grid") },
        ticks: { color: text, font, maxTicksLimit: 5, precision: 0, callback: (value) => short(value) },
      },
    },
    plugins: {
      tooltip: {
        backgroundColor: color("neutral"), titleColor: color("neutral-content"), bodyColor: color("neutral-content"),
        padding: 10, cornerRadius: 6, boxPadding: 4, usePointStyle: true, titleFont: font, bodyFont: { ...font, size: 12 },
        callbacks: { label: (item) => ` ${item.dataset.label}: ${exact(item.parsed.y)}` },
      },
    },
  };
}

function draw(figure) {
  mounted.get(figure)?.destroy();
  const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const kind = figure.dataset.chart;
  const canvas = figure.querySelector("canvas");
  mounted.set(figure, new Chart(canvas, {
    type: kind,
    data: { labels: data.labels, datasets: datasets(data, kind) },
    options: options(data, kind),
  }));
}

function mount(figure) {
  if (!mounted.has(figure)) draw(figure);
}

function repaint() {
  for (const figure of [...mounted.keys()]) {
    if (figure.isConnected) draw(figure);
    else {
      mounted.get(figure).destroy();
      mounted.delete(figure);
    }
  }
}

window.rocketCharts = { mount, repaint };
