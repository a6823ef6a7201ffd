// Charts of the pages: uPlot in the page's own colours, loaded when the first is
// drawn.

import { colour, el } from "./app.js";
import { save } from "./csv.js";

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

/** A colour for one of several series, readable on the page's ground. */
export function shade(i, of) {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" ||
    (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  return `hsl(${Math.round(175 + (i * 360) / Math.max(1, of)) % 360} 60% ${dark ? 65 : 36}%)`;
}

/** A plugin of uPlot that shows beside the cursor what of(u) gives: nodes, or null for nothing. */
export function tooltip(of) {
  const box = el("div", { class: "tip", hidden: true });
  const hide = () => { box.hidden = true; };
  return { hooks: {
    init: (u) => { u.over.append(box); u.over.addEventListener("mouseleave", hide); },
    setCursor: (u) => {
      const { left, top } = u.cursor;
      const said = left >= 0 ? of(u) : null;
      if (!said) return hide();
      box.replaceChildren(...said);
      box.hidden = false;
      const right = left > u.over.clientWidth / 2;
      box.style.left = right ? "" : `${left + 14}px`;
      box.style.right = right ? `${u.over.clientWidth - left + 14}px` : "";
      box.style.top = `${Math.min(top, Math.max(0, u.over.clientHeight - box.offsetHeight))}px`;
    },
  } };
}

/**
 * Draws a chart into host, as wide as that is, and again when its width or the
 * theme changes. options(uPlot) are uPlot's without a size, asked for at every
 * drawing since colours change; label says in words what a reader who cannot see
 * it misses. Resolves to { set(data), label(text), redraw(), png(name), svg(name), destroy() }.
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
    set(data) {
      shown = data;
      plot.setData(data, !zoomed(plot));
      if (zoomed(plot)) plot.redraw(); // what is looked at stays
    },
    label(text) { host.setAttribute("aria-label", text); },
    redraw: draw,
    png(name) { picture(plot).toBlob((b) => save(b, `${name}.png`, "image/png")); },
    svg(name) { save(drawing(plot), `${name}.svg`, "image/svg+xml"); },
    destroy() { resize.disconnect(); document.removeEventListener("theme", draw); plot.destroy(); },
  };
}

const zoomed = (u) => {
  const xs = u.data[0], { min, max } = u.scales.x;
  return xs.length > 1 && min !== undefined && (min > xs[0] || max < xs.at(-1)) && u.cursor.drag?.x;
};

// The chart on the page's ground: uPlot's own canvas is transparent.
function picture(u) {
  const source = u.ctx.canvas;
  const copy = el("canvas", { width: source.width, height: source.height });
  const c = copy.getContext("2d");
  c.fillStyle = colour("surface");
  c.fillRect(0, 0, copy.width, copy.height);
  c.drawImage(source, 0, 0);
  return copy;
}

const xml = (s) => String(s).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

// The chart as vectors: its axes, lines and points.
function drawing(u) {
  const box = { x: u.over.offsetLeft, y: u.over.offsetTop, w: u.over.clientWidth, h: u.over.clientHeight };
  const at = (v, scale) => u.valToPos(v, scale) + (scale === "x" ? box.x : box.y);
  const parts = [`<rect width="100%" height="100%" fill="${colour("surface")}"/>`, `<rect x="${box.x}" y="${box.y}" width="${box.w}" height="${box.h}" fill="none" stroke="${colour("line")}"/>`];
  const text = (x, y, s, anchor = "middle", more = "") => parts.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="11" font-family="sans-serif" fill="${colour("muted")}" ${more}>${xml(s)}</text>`);
  u.axes.forEach((a, i) => (a._splits ?? []).forEach((v, n) => {
    const words = a._values?.[n];
    if (words === null || words === undefined || words === "") return;
    if (i === 0) text(at(v, "x"), box.y + box.h + 16, words); else text(box.x - 6, at(v, "y") + 4, words, "end");
  }));
  text(box.x + box.w / 2, box.y + box.h + 34, u.axes[0].label ?? "");
  text(14, box.y + box.h / 2, u.axes[1].label ?? "", "middle", `transform="rotate(-90 14 ${box.y + box.h / 2})"`);
  parts.push(`<clipPath id="c"><rect x="${box.x}" y="${box.y}" width="${box.w}" height="${box.h}"/></clipPath><g clip-path="url(#c)">`);
  u.series.slice(1).forEach((s, i) => {
    const stroke = typeof s.stroke === "function" ? s.stroke(u, i + 1) : s.stroke;
    const points = u.data[0].map((x, n) => [x, u.data[i + 1][n]]).filter(([, y]) => Number.isFinite(y)).map(([x, y]) => [at(x, "x"), at(y, "y")]);
    if (s.bars) for (const [x, y] of points) parts.push(`<rect x="${(x - s.bars(u) / 2).toFixed(1)}" y="${y.toFixed(1)}" width="${s.bars(u).toFixed(1)}" height="${Math.max(0, at(0, "y") - y).toFixed(1)}" fill="${stroke}"/>`);
    else if (s.dots) for (const [x, y] of points) parts.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2.5" fill="${stroke}"/>`);
    else parts.push(`<polyline fill="none" stroke="${stroke}" stroke-width="1.5" ${s.dash ? 'stroke-dasharray="6 4"' : ""} points="${points.map((p) => p.map((v) => v.toFixed(1)).join()).join(" ")}"/>`);
  });
  parts.push("</g>");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${u.width}" height="${u.height}" viewBox="0 0 ${u.width} ${u.height}">${parts.join("")}</svg>\n`;
}

/** Buttons that save a chart, which made() resolves to, as a picture. */
export const saveButtons = (made, name) => el("span", { class: "row" }, ...["PNG", "SVG"].map((kind) => el("button", { type: "button", class: "small quiet", "aria-label": `Save ${name} as ${kind}`, onclick: async () => {
  (await made())?.[kind.toLowerCase()](name);
} }, kind)));
