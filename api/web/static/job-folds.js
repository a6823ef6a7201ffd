// The card of one fold: its line, its bar and its loss curves.

import { $, colour, duration, el, number, request } from "./app.js";
import { axis, chart } from "./chart.js";

/** Like "Fold 1/5: Epoch 245/500 · loss 0.234 · ETA 2.5 h". */
export function line(f, of) {
  return [`Fold ${f.index + 1}/${of}: Epoch ${f.epoch}/${f.epochs}`,
    f.loss !== null ? `loss ${number(f.loss)}` : null,
    f.status === "running" ? (f.eta_seconds !== null ? `ETA ${duration(f.eta_seconds)}` : null)
      : f.status === "succeeded" ? `best val_loss ${number(f.best_val_loss)} · done` : f.status].filter(Boolean).join(" · ");
}

export class FoldCard {
  constructor(base, f, of) {
    this.base = base;
    this.of = of;
    this.index = f.index;
    this.epochs = new Map(); // epoch → [loss, val_loss]
    this.root = $(`fold-${f.index}`) ?? el("article", { class: "card", id: `fold-${f.index}` }, el("p", { class: "fold-line mono" }), el("progress", { "aria-label": `Fold ${f.index + 1}`, max: "1", value: "0" }));
    this.more = el("p", { class: "hint" });
    this.host = el("div", { class: "chart loss" });
    this.legend = el("p", { class: "legend hint", hidden: true }, el("span", { class: "key loss" }, "loss"), el("span", { class: "key val" }, "val_loss"));
    this.root.append(this.more, this.legend, this.host);
    if (!this.root.isConnected) $("folds").append(this.root);
    this.refresh();
  }

  show(f) {
    this.fold = f;
    this.root.querySelector(".fold-line").textContent = line(f, this.of);
    const bar = this.root.querySelector("progress");
    bar.max = f.status === "succeeded" ? Math.max(1, f.epoch) : f.epochs; // it may have stopped early
    bar.value = f.epoch;
    this.more.textContent = [f.val_loss !== null && f.status !== "succeeded" ? `val_loss ${number(f.val_loss)}` : null,
      f.best_epoch ? `best ${number(f.best_val_loss)} at epoch ${f.best_epoch}` : null,
      f.worker ? `on ${f.worker}` : null,
      f.attempt > 1 ? `attempt ${f.attempt}, resumed from epoch ${f.resumed_from_epoch}` : null].filter(Boolean).join(" · ");
  }

  /** One epoch of the stream; what it missed comes with the next history. */
  epoch(f) {
    if (f.epoch > 0 && f.loss !== null) {
      const missed = !this.epochs.has(f.epoch - 1) && f.epoch > 1;
      this.epochs.set(f.epoch, [f.loss, f.val_loss]);
      if (missed && Date.now() - this.read > 10000) return void this.refresh();
    }
    this.draw();
  }

  /** Forgets what was trained after an epoch: it is trained again. */
  rewind(epoch) {
    for (const e of this.epochs.keys()) if (e > epoch) this.epochs.delete(e);
    this.draw();
    if (this.reading) this.stale = true; // the answer on its way may still have those epochs
  }

  /** Reads the history: once at a time, and again when asked to meanwhile. */
  async refresh() {
    this.stale = true;
    if (this.reading) return;
    this.reading = true;
    try {
      while (this.stale) {
        this.stale = false;
        this.read = Date.now();
        const h = await request(`${this.base}/folds/${this.index}/history`);
        if (this.stale) continue;
        for (const e of h.data) this.epochs.set(e.epoch, [e.loss, e.val_loss]);
        this.draw();
      }
    } catch {
      // The curve waits for the next one; the line above it is live.
    } finally {
      this.reading = false;
    }
  }

  async draw() {
    const at = [...this.epochs.keys()].sort((a, b) => a - b);
    if (!at.length) return;
    const data = [at, at.map((e) => this.epochs.get(e)[0]), at.map((e) => this.epochs.get(e)[1])];
    const label = `Loss of fold ${this.index + 1} from ${number(data[1][0])} to ${number(data[1].at(-1))}, validation loss from ${number(data[2][0])} to ${number(data[2].at(-1))}, over ${at.length} epochs`;
    if (!this.chart) {
      this.legend.hidden = false;
      this.chart = chart(this.host, { label, height: 180, data, options: () => ({
        scales: { x: { time: false, range: (u, low, high) => [Math.min(1, low), Math.max(high, 2)] } },
        axes: [axis("epoch", { incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 100000] }), axis("loss", { size: 52 })],
        series: [{}, { stroke: colour("accent"), width: 2, points: { show: (u) => u.data[0].length < 3 } }, { stroke: colour("series-2"), width: 2, dash: [6, 4], points: { show: (u) => u.data[0].length < 3 } }],
        cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      }) }).catch(() => { this.chart = null; }); // the next epoch tries again
      return;
    }
    const c = await this.chart;
    c?.set(data);
    c?.label(label);
  }
}
