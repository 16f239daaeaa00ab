// Charts over time, drawn by uPlot, which is loaded with the first of them.
import { html, useEffect, useRef, useState } from "./lib.js";

let loading;

function loadLibrary() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("./vendor/uPlot.js", import.meta.url).href;
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => reject(new Error("The library of charts cannot be loaded."));
    document.head.append(script);
  });
  return loading;
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// `times` are seconds; `series` are [{label, values, color}], where `color` is a CSS variable. Values may be null.
// `format` writes a value. The last values are also the text for screen readers.
export function Chart({ title, times, series, format, height = 160 }) {
  const box = useRef(null);
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const changed = () => setTheme((old) => old + 1);
    const media = matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", changed);
    const watcher = new MutationObserver(changed);
    watcher.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      media.removeEventListener("change", changed);
      watcher.disconnect();
    };
  }, []);
  useEffect(() => {
    let plot;
    let sizes;
    let gone = false;
    loadLibrary().then((Plot) => {
      if (gone) return;
      const element = box.current;
      plot = new Plot(optionsOf(element, series, format, height), [times, ...series.map((each) => each.values)], element);
      sizes = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
      sizes.observe(element);
    });
    return () => {
      gone = true;
      sizes?.disconnect();
      plot?.destroy();
    };
  }, [times, series, theme, height]);
  const said = series.map((each) => `${each.label}: ${format(last(each.values))}`).join(", ");
  return html`<figure class="chart">
    <figcaption><span>${title}</span><span class="legend">${series.map((each) =>
      html`<span key=${each.label}><i style=${{ background: `var(${each.color})` }}></i>${each.label}</span>`)}</span></figcaption>
    <div ref=${box} role="img" aria-label=${`${title}. ${said}`} style=${{ height: `${height}px` }}></div>
  </figure>`;
}

function last(values) {
  for (let at = values.length - 1; at >= 0; at -= 1) if (values[at] !== null) return values[at];
  return null;
}

function optionsOf(element, series, format, height) {
  const axis = {
    stroke: color("--muted"), font: "11px system-ui, sans-serif", grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth, height, legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    axes: [
      { ...axis, size: 28, space: 72, values: (_, marks) => marks.map(dayOrTime) },
      { ...axis, size: 56, space: 32, values: (_, marks) => marks.map((mark) => format(mark)) },
    ],
    series: [
      {},
      ...series.map((each) => ({
        label: each.label, stroke: color(each.color), width: 1.75, points: { show: false },
        fill: series.length === 1 ? `${color(each.color)}22` : undefined,
        value: (_, value) => format(value),
      })),
    ],
    hooks: { setCursor: [tooltip(element, series, format)] },
  };
}

const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

// A mark of the axis: the day at midnight, else the time.
function dayOrTime(mark) {
  const date = new Date(mark * 1000);
  return (date.getHours() || date.getMinutes() ? TIME : DAY).format(date);
}

// The values under the pointer.
function tooltip(element, series, format) {
  let shown;
  return (plot) => {
    const at = plot.cursor.idx;
    if (at === null || at === undefined || plot.cursor.left < 0) {
      shown?.remove();
      shown = undefined;
      return;
    }
    if (!shown) {
      shown = document.createElement("div");
      shown.className = "tooltip";
      element.append(shown);
    }
    const time = new Date(plot.data[0][at] * 1000).toLocaleString();
    shown.textContent = [time, ...series.map((each, n) => `${each.label} ${format(plot.data[n + 1][at])}`)].join("\n");
    shown.style.left = `${Math.min(plot.cursor.left + 64, element.clientWidth - 150)}px`;
  };
}
