// Draws structures, beside the page: reading OpenChemLib takes a moment that
// typing should not wait for. In: { id, smiles, atoms, weights }. Out: { id, svg } or
// { id, error }. atoms are indices in the order of the SMILES without its [H].
import { Molecule } from "./vendor/openchemlib/openchemlib.js";

const depiction = {
  suppressChiralText: true, suppressESR: true, suppressCIPParity: true, noStereoProblem: true,
  autoCrop: true, autoCropMargin: 14,
};
const large = 20000; // room enough that a bond has its natural length, 24 units

// The colours of OpenChemLib, as tokens of predict.css that suit both themes.
const tokens = {
  "255,13,13": "o", "48,80,248": "n", "205,205,38": "s", "255,128,0": "p", "31,240,31": "cl", "144,224,80": "f",
  "166,41,41": "br", "148,0,148": "i", "240,200,160": "si", "255,181,181": "b",
};

// OpenChemLib numbers hydrogens last, each swapped with the last atom that is
// none; this is where each other atom of the SMILES went.
function order(smiles) {
  const hydrogen = (smiles.match(/\[[^\]]*\]|Br|Cl|[BCNOPSFIbcnops*]/g) ?? []).map((a) => /^\[H(:\d+)?\]$/.test(a));
  const at = hydrogen.map((_, i) => i);
  let last = hydrogen.length - 1;
  while (last >= 0 && hydrogen[last]) last--;
  const is = [...hydrogen];
  for (let i = 0; i < last; i++) {
    if (!is[i]) continue;
    [at[i], at[last]] = [at[last], at[i]];
    [is[i], is[last]] = [is[last], is[i]];
    while (is[last]) last--;
  }
  const place = [];
  at.forEach((written, now) => { place[written] = now; });
  return place.filter((_, written) => !hydrogen[written]);
}

function draw(smiles, atoms, weights) {
  const m = Molecule.fromSmiles(smiles, { noCoordinates: true });
  m.inventCoordinates({ skipDefaultTemplates: true }); // reading the templates, of cages, takes over a second
  const text = m.toSVG(large, large, "s", depiction);
  const [, size] = /viewBox="([^"]*)"/.exec(text);
  const places = [];
  for (const [, i, x, y] of text.matchAll(/id="s:Atom:(\d+)" class="event" cx="([^"]*)" cy="([^"]*)"/g)) places[i] = [x, y];
  const place = order(smiles);
  const marked = new Set(atoms.map((a) => place[a]).filter((a) => places[a]));
  let under = "";
  for (let b = 0; b < m.getAllBonds(); b++) {
    const [p, q] = [m.getBondAtom(0, b), m.getBondAtom(1, b)];
    if (marked.has(p) && marked.has(q)) {
      under += `<line x1="${places[p][0]}" y1="${places[p][1]}" x2="${places[q][0]}" y2="${places[q][1]}"/>`;
    }
  }
  for (const a of marked) under += `<circle cx="${places[a][0]}" cy="${places[a][1]}" r="8" data-atom="${a}"/>`;
  const most = Math.max(...(weights ?? []).map(Math.abs), 1e-12);
  (weights ?? []).forEach((w, i) => {
    const at = places[place[i]];
    if (at && w) under += `<circle class="${w > 0 ? "raises" : "lowers"}" cx="${at[0]}" cy="${at[1]}" r="11" fill-opacity="${(0.1 + 0.6 * Math.abs(w) / most).toFixed(2)}"/>`;
  });
  const body = text
    .replace(/^<svg[^>]*>|<\/svg>\s*$/g, "")
    .replace(/<style>.*?<\/style>/s, "") // the page's policy would refuse it
    .replace(/<(line|circle)[^>]*class="event"[^>]*\/>\s*/g, "")
    .replace(/>\?<\/text>/g, ">*</text>")
    .replace(/"rgb\((\d+),\s*(\d+),\s*(\d+)\)"/g, (_, r, g, b) => (tokens[`${r},${g},${b}`] ? `"var(--atom-${tokens[`${r},${g},${b}`]})"` : '"currentColor"'));
  const [, , width, height] = size.split(" ");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${size}" width="${width}" height="${height}"><g class="${weights ? "weighted" : "unseen"}">${under}</g>${body}</svg>`;
}

self.onmessage = ({ data: { id, smiles, atoms, weights } }) => {
  try {
    self.postMessage({ id, svg: draw(smiles, atoms, weights) });
  } catch (e) {
    self.postMessage({ id, error: String(e?.message ?? e) });
  }
};
