// The workers and what waits for them, kept up to date by drawing the page again.
import { notice } from "./app.js";

const every = 4000; // ms

let lost = null;

async function refresh() {
  const here = document.getElementById("live");
  // What is selected or focused would be lost.
  if (!document.hidden && !here.contains(document.activeElement) && document.getSelection().isCollapsed) {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh) here.replaceChildren(...fresh.childNodes);
      lost?.();
      lost = null;
    } catch {
      lost ??= notice("The connection is lost. Reconnecting…", { kind: "warn", key: "stream" });
    }
  }
  setTimeout(refresh, every);
}

setTimeout(refresh, every);
