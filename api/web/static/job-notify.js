// A notification of the browser when the job is over, for those who ask for it.

import { el, notice } from "./app.js";

const over = ["succeeded", "failed", "cancelled"];

export class Notifier {
  constructor(id, title) {
    this.key = `notify:${id}`;
    this.title = title;
    this.possible = "Notification" in window && window.isSecureContext;
    this.button = el("button", { type: "button", id: "notify", onclick: () => this.toggle() });
    this.show();
  }

  get wanted() {
    try { return localStorage.getItem(this.key) === "1" && Notification.permission === "granted"; } catch { return false; }
  }

  show() {
    const on = this.possible && this.wanted;
    this.button.textContent = on ? "You will be notified" : "Notify me when it is done";
    this.button.setAttribute("aria-pressed", String(on));
  }

  async toggle() {
    try {
      if (this.wanted) localStorage.removeItem(this.key);
      else if (await Notification.requestPermission() === "granted") localStorage.setItem(this.key, "1");
      else notice("This browser does not allow notifications from this page. Allow them in the site’s settings.", { kind: "warn", key: "notify" });
    } catch { /* storage is refused: nothing is remembered */ }
    this.show();
  }

  /** Is told of every state; notifies of the last one. */
  saw(status) {
    const ends = over.includes(status) && this.last !== undefined && !over.includes(this.last);
    this.last = status;
    if (!ends || !this.possible || !this.wanted) return;
    new Notification(`${this.title}: ${status}`, { body: "The training job is over.", tag: this.key });
    localStorage.removeItem(this.key);
  }
}
