// The registry of models: any can be compared, one becomes the default, and the
// last change can be undone. What a change would do is shown before it is made.
import { $, request } from "./app.js";
import { answer, dialog } from "./dialog.js";
import { difference } from "./difference.js";

const boxes = [...document.querySelectorAll('input[name="compare"]')];
function showPicked() {
  const n = boxes.filter((b) => b.checked).length;
  $("compare-picked").disabled = n < 2;
  $("picked-hint").textContent = n < 2 ? "Choose two or more." : `${n} chosen`;
}
for (const box of boxes) box.addEventListener("change", showPicked);
if (boxes.length) showPicked();

const short = (name) => (/^[0-9a-f]{40}$/.test(name) ? name.slice(0, 8) : name);

/** Asks whether a branch or tag shall name a revision, and shows what that changes. */
function ask({ repo, revision, name }, { title, to }) {
  const asking = dialog("question");
  const part = (selector) => asking.querySelector(selector);
  part("[data-what]").textContent = short(name);
  const field = part("#to"), problem = part(".problem"), shown = part("[data-difference]");
  const standard = field.dataset.default;
  field.value = to ?? standard;
  let looked = 0;
  const look = async () => {
    const mine = ++looked;
    const target = field.value.trim();
    const isDefault = target === standard;
    part("[data-title]").textContent = isDefault ? title : `Name ${target || "…"}`;
    part("[data-yes]").textContent = isDefault ? title : "Set";
    if (!target) return void shown.replaceChildren();
    try {
      const parts = difference(await request(`/v1/models/difference?${new URLSearchParams({ repo, revision, with: target })}`));
      if (mine === looked) shown.replaceChildren(...parts);
    } catch (e) {
      if (mine === looked) shown.replaceChildren(e.message);
    }
  };
  let timer;
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 300); });
  look();
  answer(asking, {
    focus: to === "" ? field : part("[data-yes]"),
    act: async (data) => {
      await request("/v1/models/promote", { method: "POST", json: { repo, revision, to: data.get("to").trim() } });
      location.assign("/models"); // the answer would be of a page that is no longer so
    },
    refused: (error) => {
      problem.textContent = [error.message, ...(error.errors ?? []).map((p) => p.detail)].join(" ");
      problem.hidden = false;
    },
  });
}

document.addEventListener("click", (e) => {
  const promote = e.target.closest("[data-promote]");
  if (promote) {
    const row = promote.closest("tr");
    ask(row.dataset, { title: "Make default", to: promote.textContent.startsWith("Tag") ? "" : undefined });
  }
  const back = e.target.closest("[data-roll-back], #undo");
  if (back) ask(back.dataset, { title: back.id === "undo" ? "Undo" : "Roll back" });
});
