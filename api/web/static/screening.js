// One screening: how it stands, kept up to date by its stream. The best rows are
// those of the page, drawn again now and then; their structures are drawn here.
import { $, el, pageData, request, notice, follow, duration, number, money, showStatus, showTimes, plural } from "./app.js";
import { answer, dialog } from "./dialog.js";
import { depict } from "./depict.js";
import { smilesOf } from "./train-doctor.js";

const every = 5000; // ms between two looks at the best rows
const longest = 300; // bytes of a structure that is drawn

let screening = pageData("data");
const path = `/v1/screenings/${screening.id}`;
const over = () => ["succeeded", "failed", "cancelled"].includes(screening.status);

/** Asks before what cannot be undone. */
function ask(title, text, yes) {
  const asking = dialog("question");
  asking.querySelector("#ask-title").textContent = title;
  asking.querySelector("#ask-text").textContent = text;
  asking.querySelector("#ask-yes").textContent = yes;
  return answer(asking, { focus: asking.querySelector("#ask-no") });
}

async function act(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (problem) {
    notice(problem.message, { key: "move" });
  }
  button.disabled = false;
  show();
}

const move = (what) => async () => {
  screening = await request(`${path}/${what}`, { method: "POST" });
  if (!over()) listen(); else refresh();
};

async function cancel() {
  if (await ask("Cancel this screening?", "It ends for good, without results.", "Cancel it")) await move("cancel")();
}

async function remove() {
  if (!await ask("Delete this screening?", "Its results are deleted too.", "Delete it")) return;
  await request(path, { method: "DELETE" });
  location.assign("/screen");
}

function actions() {
  const can = [];
  const button = (label, work, look = "") => can.push(el("button", { type: "button", class: look, onclick: (e) => act(e.target, work) }, label));
  if (["queued", "running"].includes(screening.status)) button("Pause", move("pause"));
  if (["paused", "failed"].includes(screening.status)) button("Resume", move("resume"));
  if (["queued", "running", "paused"].includes(screening.status)) button("Cancel", cancel, "danger");
  if (over()) button("Delete", remove, "danger");
  const names = can.map((b) => b.textContent).join();
  if ($("actions").dataset.names !== names) { // a focused button stays
    $("actions").replaceChildren(...can);
    $("actions").dataset.names = names;
  }
}

function show() {
  const { counts, rate, eta_seconds: eta, cost, workers } = screening;
  showStatus($("status"), screening.status);
  $("bar").value = counts.total ? (100 * counts.done) / counts.total : 0;
  $("summary").textContent = [
    screening.status_reason, `${counts.done.toLocaleString("en")} of ${plural(counts.total, "row")}`, screening.where ? `${counts.kept.toLocaleString("en")} kept` : null,
    counts.failed ? `${counts.failed.toLocaleString("en")} could not be predicted` : null,
    !over() && rate ? `${number(rate)} rows/s` : null, !over() && eta ? `about ${duration(eta)} left` : null,
    `${duration(cost.worker_seconds)} of workers`, cost.usd ? money(cost.usd) : null,
  ].filter(Boolean).join(" · ");
  actions();
  $("failure").replaceChildren(...(screening.error ? [el("p", { class: "alert bad" }, screening.error.detail)] : []));
  if (workers.length) {
    $("workers").replaceChildren(el("ul", { class: "plain" }, ...workers.map((w) =>
      el("li", {}, el("span", { class: "mono" }, w.worker), `: ${plural(w.rows, "row")}${w.active && !over() ? ", at work" : ""}`))));
  }
}

/** Draws the structures of the best rows. */
function draw() {
  for (const cell of document.querySelectorAll("#best [data-smiles]")) {
    const text = cell.dataset.smiles;
    if (!text || text.length > longest) continue;
    depict(smilesOf(text), { label: text.slice(0, 200) }).then((svg) => {
      cell.replaceChildren(el("div", { class: "thumbnail", title: text }, svg));
    }, () => {}); // what cannot be drawn stays as text
  }
}

let seen = $("best").innerHTML; // before structures are drawn
/** Takes what the server draws now: the best rows and the results. */
async function refresh() {
  const here = $("best");
  if (!document.getSelection().isCollapsed && here.contains(document.getSelection().anchorNode)) return;
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).catch(() => null);
  if (!response?.ok) return; // the stream says what is wrong
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  $("results").replaceChildren(...page.getElementById("results").childNodes);
  const fresh = page.getElementById("best");
  if (fresh.innerHTML === seen) return;
  seen = fresh.innerHTML;
  const at = here.querySelector(".table")?.scrollLeft ?? 0;
  here.replaceChildren(...fresh.childNodes);
  if (at) here.querySelector(".table").scrollLeft = at;
  showTimes(here);
  draw();
}

let stop = null, timer = 0;
function listen() {
  if (stop) return;
  const take = (data) => {
    screening = data;
    show();
    if (!over()) return;
    stop();
    stop = null;
    clearInterval(timer);
    refresh();
  };
  stop = follow(`${path}/events`, { snapshot: take, progress: take });
  timer = setInterval(() => { if (!document.hidden && screening.status === "running") refresh(); }, every);
}

show();
draw();
if (!over()) listen();
