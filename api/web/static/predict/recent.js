// The polymers that were asked about in this browser, the latest first.
import { $, el } from "../app.js";
import { called, shown } from "./results.js";
import { inWords } from "./inputs.js";

const key = "predict:recent";
const kept = 12;
let ask = () => {};

function read() {
  try { return JSON.parse(localStorage.getItem(key)) ?? []; } catch { return []; }
}

function show() {
  const all = read();
  $("recent").hidden = !all.length;
  $("recent-list").replaceChildren(...all.map(({ input, said }) => el("li", {},
    el("button", { type: "button", class: "link", onclick: () => ask(input) }, inWords(input).slice(0, 80)), el("span", { class: "muted small" }, said))));
}

/** Shows what is kept; chosen is asked about again. */
export function begin(chosen) {
  ask = chosen;
  $("recent-clear").addEventListener("click", () => { try { localStorage.removeItem(key); } catch { /* nothing is kept */ } show(); });
  show();
}

/** Keeps a polymer with what was predicted. */
export function add(input, result, targets) {
  const said = targets.slice(0, 2).map((t) => `${called(t)} ${shown(result.predictions[t].mean)} ${result.predictions[t].units ?? ""}`.trim()).join(", ");
  const same = JSON.stringify(input);
  try {
    localStorage.setItem(key, JSON.stringify([{ input, said }, ...read().filter((r) => JSON.stringify(r.input) !== same)].slice(0, kept)));
  } catch { /* it is not kept */ }
  show();
}
