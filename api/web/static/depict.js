// Structures as drawings. The first one loads OpenChemLib, in a worker.

let worker = null, asked = 0;
const waiting = new Map(); // by number
const drawn = new Map(); // promises of SVG text, by what was asked; the latest last
const remembered = 200;

function start() {
  worker = new Worker(new URL("depict-worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error) reject(new Error(data.error)); else resolve(data.svg);
  };
  worker.onerror = () => { // it did not load, or broke: the next drawing tries again
    for (const { reject } of waiting.values()) reject(new Error("Structures cannot be drawn here."));
    waiting.clear();
    worker.terminate();
    worker = null;
  };
}

/**
 * A drawing of a SMILES as an <svg>, atoms marked where they are named: by index,
 * in the order of the SMILES without its [H], or shaded by weights, one an atom
 * in that order. Rejects what it cannot read.
 */
export async function depict(smiles, { atoms = [], weights = null, label = "" } = {}) {
  const key = `${smiles} ${atoms} ${weights ?? ""}`;
  if (!drawn.has(key)) {
    if (!worker) start();
    const id = ++asked;
    const svg = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    svg.catch(() => drawn.delete(key));
    worker.postMessage({ id, smiles, atoms, weights });
    drawn.set(key, svg);
    if (drawn.size > remembered) drawn.delete(drawn.keys().next().value);
  }
  const e = document.importNode(new DOMParser().parseFromString(await drawn.get(key), "image/svg+xml").documentElement, true);
  e.setAttribute("class", "structure");
  e.setAttribute("role", "img");
  e.setAttribute("aria-label", label || `Structure of ${smiles}`);
  return e;
}
