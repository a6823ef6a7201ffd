// Charts of the pages: uPlot in the page's own colours, loaded when the first is
// drawn.

import { colour, el } from "./app.js";

let loading;
function load() {
  loading ??= new Promise((done) => {
    const sheet = el("link", { rel: "stylesheet", href: new URL("vendor/uplot/uPlot.min.css", import.meta.url) });
    sheet.onload = sheet.onerror = done;
    document.head.append(sheet);
  }).then(() => import("./vendor/uplot/uPlot.esm.js")).then((m) => m.default);
  loading.catch(() => { loading = undefined; }); // the next chart tries again
  return loading;
}

/** An axis of a chart in the page's colours. */
export const axis = (label, more = {}) => ({
  label, labelSize: 20, labelGap: 0, labelFont: "12px system-ui, sans-serif", font: "12px system-ui, sans-serif", size: 44,
  stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1, size: 4 }, ...more,
});

/**
 * Draws a chart into host, as wide as that is, and again when its width or the
 * theme changes. options(uPlot) are uPlot's without a size, asked for at every
 * drawing since colours change; label says in words what a reader who cannot see
 * it misses. Resolves to { set(data), label(text), destroy() }.
 */
export async function chart(host, { label, height = 220, data, options }) {
  const uPlot = await load();
  host.setAttribute("role", "img");
  host.setAttribute("aria-label", label);
  let plot, shown = data;
  const draw = () => {
    plot?.destroy();
    plot = new uPlot({ width: host.clientWidth || 300, height, legend: { show: false }, ...options(uPlot) }, shown, host);
  };
  draw();
  const resize = new ResizeObserver(() => {
    if (host.clientWidth && host.clientWidth !== plot.width) plot.setSize({ width: host.clientWidth, height });
  });
  resize.observe(host);
  document.addEventListener("theme", draw);
  return {
    set(data) { shown = data; plot.setData(data); },
    label(text) { host.setAttribute("aria-label", text); },
    destroy() { resize.disconnect(); document.removeEventListener("theme", draw); plot.destroy(); },
  };
}
