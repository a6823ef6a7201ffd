// The pictures of a search, as SVG that scales with the page.
import { number } from "./app.js";

const NS = "http://www.w3.org/2000/svg";

function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS(NS, name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

const scale = (low, high, from, to) => (v) => (high === low ? (from + to) / 2 : from + ((v - low) / (high - low)) * (to - from));

/** The score of each trial, and the best so far. */
export function curve(trials) {
  const scored = trials.filter((t) => t.score !== null);
  const w = 480, h = 220, left = 52, bottom = 30;
  const picture = svg("svg", { viewBox: `0 0 ${w} ${h}`, class: "picture", role: "img" });
  if (!scored.length) {
    picture.setAttribute("aria-label", "No trial has a score yet.");
    return picture;
  }
  // Scores of one rung are compared with each other: the highest rung reached counts.
  const values = scored.map((t) => t.score);
  const low = Math.min(...values), high = Math.max(...values);
  const x = scale(0, Math.max(1, trials.length - 1), left + 8, w - 10), y = scale(low, high, h - bottom - 8, 12);
  let best = Infinity, d = "";
  for (const t of scored) {
    if (t.score < best) {
      d += d ? `H${x(t.index)}` : "";
      best = t.score;
      d += d ? `V${y(best)}` : `M${x(t.index)},${y(best)}`;
    }
  }
  d += `H${x(trials.length - 1)}`;
  for (const v of [low, (low + high) / 2, high]) {
    picture.append(svg("line", { x1: left, x2: w - 8, y1: y(v), y2: y(v), class: "grid-line" }), svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" }, number(v)));
  }
  picture.append(svg("text", { x: (left + w) / 2, y: h - 6, "text-anchor": "middle" }, "Trial"));
  picture.append(svg("path", { d, class: "best-line" }));
  for (const t of scored) {
    const dot = svg("circle", { cx: x(t.index), cy: y(t.score), r: 2 + t.scores.length, class: t.status === "failed" ? "dot bad" : "dot" });
    dot.append(svg("title", {}, `Trial ${t.index}: ${number(t.score, 4)} after ${t.epochs} epochs`));
    picture.append(dot);
  }
  picture.setAttribute("aria-label", `The best score is ${number(best, 4)}, of ${scored.length} trials that have one.`);
  return picture;
}

/** Parallel coordinates: an axis for each field of the space and one for the score; ranked is the trials, the best first. */
export function coordinates(search, ranked) {
  const fields = Object.entries(search.space);
  const scored = ranked.filter((t) => t.score !== null);
  const w = 960, h = 300, top = 34, bottom = 24, margin = 70;
  const picture = svg("svg", { viewBox: `0 0 ${w} ${h}`, class: "picture", role: "img", "aria-label": `Settings and scores of ${scored.length} trials; the table below has the same.` });
  const at = scale(0, fields.length, margin, w - margin);
  const axes = fields.map(([name, space], i) => {
    const [kind, values] = Object.entries(space)[0];
    const texts = values.map((v) => (typeof v === "number" ? number(v) : typeof v === "string" ? v : JSON.stringify(v)));
    if (kind === "choice") {
      const place = scale(0, Math.max(1, values.length - 1), h - bottom, top);
      const keys = values.map((v) => JSON.stringify(v));
      return { name, x: at(i), y: (t) => place(keys.indexOf(JSON.stringify(t.spec[name]))), ticks: texts.map((text, k) => [place(k), text]) };
    }
    const to = kind === "log" ? Math.log : (v) => v;
    const place = scale(to(values[0]), to(values[1]), h - bottom, top);
    return { name, x: at(i), y: (t) => place(to(t.spec[name])), ticks: texts.map((text, k) => [place(to(values[k])), text]) };
  });
  if (scored.length) {
    const scores = scored.map((t) => t.score);
    const place = scale(Math.min(...scores), Math.max(...scores), h - bottom, top);
    axes.push({ name: "score", x: at(fields.length), y: (t) => place(t.score), ticks: [Math.min(...scores), Math.max(...scores)].map((v) => [place(v), number(v, 4)]) });
  }
  for (const [place, t] of [...scored.entries()].reverse()) { // the best on top
    const good = 1 - place / Math.max(1, scored.length);
    const d = axes.map((a, i) => `${i ? "L" : "M"}${a.x},${a.y(t)}`).join("");
    const line = svg("path", { d, class: place === 0 ? "trial first" : "trial", "stroke-opacity": (0.12 + 0.6 * good * good).toFixed(2), "stroke-width": place === 0 ? 3 : 0.6 + 0.6 * t.scores.length });
    line.append(svg("title", {}, `Trial ${t.index}: ${number(t.score, 4)}`));
    picture.append(line);
  }
  for (const a of axes) {
    picture.append(svg("line", { x1: a.x, x2: a.x, y1: top, y2: h - bottom, class: "axis-line" }), svg("text", { x: a.x, y: 14, "text-anchor": "middle", class: "name" }, a.name));
    for (const [y, text] of a.ticks) picture.append(svg("text", { x: a.x + 5, y: y + 4 }, text));
  }
  return picture;
}
