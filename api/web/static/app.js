// What every page shares: the theme, notices, requests to /v1 and streams of
// events. Pages import it; nothing here knows a page.

const root = document.documentElement;

/** The element with an id. */
export const $ = (id) => document.getElementById(id);

/** Makes an element: el("p", { class: "hint" }, "text", child). Text is never HTML. */
export function el(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) {
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (v === true) e.setAttribute(k, "");
    else if (v !== false && v !== null && v !== undefined) e.setAttribute(k, v);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

/** Data that the server put into the page as <script type="application/json" id="…">. */
export const pageData = (id) => JSON.parse($(id).textContent);

// Theme: as the system, light, dark.
const themes = [["", "◐", "as the system"], ["light", "☀", "light"], ["dark", "☾", "dark"]];
function showTheme() {
  const [, sign, name] = themes.find(([t]) => t === (root.dataset.theme ?? ""));
  $("theme").textContent = sign;
  $("theme").setAttribute("aria-label", `Theme: ${name}`);
  document.dispatchEvent(new Event("theme"));
}
$("theme").addEventListener("click", () => {
  const at = themes.findIndex(([t]) => t === (root.dataset.theme ?? ""));
  const [next] = themes[(at + 1) % themes.length];
  if (next) { root.dataset.theme = next; localStorage.setItem("theme", next); }
  else { delete root.dataset.theme; localStorage.removeItem("theme"); }
  showTheme();
});
showTheme();

/** The present value of a colour token such as "accent", for canvases; redraw on the document's "theme" event. */
export function colour(token) {
  const probe = el("span");
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);

/** Shows times in the reader's own time zone. */
export function showTimes(within = document) {
  for (const t of within.querySelectorAll("time[datetime]")) {
    const at = new Date(t.dateTime);
    t.textContent = at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    t.title = t.dateTime;
  }
}
showTimes();

/** A notice at the top of the page; it replaces the one with its key, unless that says the same. Returns what takes it away. */
export function notice(text, { kind = "bad", key = text, action = null } = {}) {
  const old = [...$("notices").children].find((n) => n.dataset.key === key);
  if (old?.firstElementChild.textContent === text) return () => old.remove();
  old?.remove();
  const close = el("button", { type: "button", class: "quiet small", "aria-label": "Close", onclick: () => box.remove() }, "✕");
  const box = el("div", { class: `alert ${kind}`, "data-key": key }, el("span", {}, text), el("span", { class: "row" }, action, close));
  $("notices").append(box);
  return () => box.remove();
}

/** What the server answered when it refused: an RFC 9457 problem. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || `The server answered ${status}.`);
    Object.assign(this, { status, code: body.code, errors: body.errors ?? [] });
  }
}

function loginExpired() {
  const next = encodeURIComponent(location.pathname + location.search);
  notice("You are logged out.", { key: "login", action: el("a", { href: `/login?next=${next}`, class: "button small" }, "Log in again") });
}

/** A request to this server: JSON in and out unless options say otherwise. Throws Problem, or Error when the server is away. */
export async function request(path, { method = "GET", json, body, headers = {}, signal } = {}) {
  const h = { Accept: "application/json", ...headers };
  if (json !== undefined) { body = JSON.stringify(json); h["Content-Type"] = "application/json"; }
  let answer;
  try {
    answer = await fetch(path, { method, body, headers: h, signal, credentials: "same-origin" });
  } catch (e) {
    if (e.name === "AbortError") throw e;
    throw new Error("The server is not responding. Is it still running?");
  }
  const type = answer.headers.get("Content-Type") ?? "";
  const content = /json/.test(type) ? await answer.json() : await answer.text();
  if (!answer.ok) {
    if (answer.status === 401) loginExpired();
    throw new Problem(answer.status, typeof content === "object" ? content : {});
  }
  return content;
}

/**
 * Follows a stream of server-sent events for as long as the page lives. The
 * browser reconnects by itself with Last-Event-ID; when it gives up, as after a
 * refused answer, this tries again, and says so meanwhile.
 * handlers: event type → function(data, event). onstate("open" | "lost").
 */
export function follow(path, handlers, onstate = () => {}) {
  let source, clear = () => {}, wait = 1000, stopped = false, wordy;
  const quiet = () => { clearTimeout(wordy); wordy = undefined; clear(); };
  const lost = () => {
    onstate("lost");
    // A short interruption is not reported.
    wordy ??= setTimeout(() => { clear = notice("The connection is lost. Reconnecting…", { kind: "warn", key: "stream" }); }, 1500);
  };
  const open = () => {
    source = new EventSource(path); // a new stream begins with a snapshot
    source.onopen = () => { quiet(); wait = 1000; onstate("open"); };
    source.onerror = async () => {
      if (stopped) return;
      lost();
      if (source.readyState !== EventSource.CLOSED) return;
      // The server refused, or the stream is over: find out which.
      const answer = await fetch(path, { method: "HEAD", credentials: "same-origin" }).catch(() => null);
      if (stopped) return;
      if (answer?.status === 401) { quiet(); loginExpired(); return; }
      setTimeout(() => { if (!stopped) open(); }, wait);
      wait = Math.min(wait * 2, 15000);
    };
    for (const [type, handle] of Object.entries(handlers)) {
      source.addEventListener(type, (e) => handle(JSON.parse(e.data), e));
    }
  };
  open();
  return () => { stopped = true; source.close(); quiet(); };
}

/** "1 row", "2,000 rows". */
export const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** 45 s, 12 min, 2.5 h, 3.2 days; "–" for nothing. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

/** A value to some significant digits; "–" for nothing. */
export function number(v, digits = 3) {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  return String(Number(v.toPrecision(digits)));
}

const kinds = { succeeded: "good", failed: "bad", paused: "warn", preparing: "busy", training: "busy", running: "busy", finalizing: "busy", publishing: "busy" };

/** Shows a job's status in the badge that is an element. */
export function showStatus(badge, status) {
  badge.textContent = status;
  badge.className = `badge ${kinds[status] ?? ""}`;
}

export const money = (usd) => (usd === null || usd === undefined ? "–" : `$${usd < 10 ? usd.toFixed(2) : usd.toFixed(0)}`);

/** Copies the text of the element a button names by data-copy. */
document.addEventListener("click", async (e) => {
  const button = e.target.closest("[data-copy]");
  if (!button) return;
  const source = $(button.dataset.copy);
  // Without https, or where the browser refuses, there is only the old way.
  const copied = await navigator.clipboard?.writeText(source.textContent).then(() => true, () => false);
  if (!copied) {
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
    getSelection().removeAllRanges();
  }
  button.dataset.label ??= button.textContent; // a second click meets "Copied"
  button.textContent = "Copied";
  clearTimeout(button.dataset.timer);
  button.dataset.timer = setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
});
