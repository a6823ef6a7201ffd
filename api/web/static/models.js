// The list of revisions: two can be compared, one can be promoted.
import { $, request } from "./app.js";
import { answer, dialog } from "./dialog.js";

// Two at a time: a third lets go of the first.
const boxes = [...document.querySelectorAll('input[name="compare"]')];
const picked = boxes.filter((b) => b.checked);
for (const box of boxes) {
  box.addEventListener("change", () => {
    const at = picked.indexOf(box);
    if (at >= 0) picked.splice(at, 1);
    if (box.checked && picked.push(box) > 2) picked.shift().checked = false;
  });
}
$("compare")?.addEventListener("submit", (e) => {
  if (picked.length === 2) return;
  e.preventDefault();
  const free = boxes.find((b) => !b.checked);
  free?.focus();
});

document.addEventListener("click", (e) => {
  const { repo, revision } = e.target.closest("[data-promote]")?.closest("tr").dataset ?? {};
  if (!revision) return;
  const asking = dialog("question");
  asking.querySelector("[data-what]").textContent = revision;
  const problem = asking.querySelector(".problem");
  answer(asking, {
    act: async (data) => {
      await request("/v1/models/promote", { method: "POST", json: { repo, revision, to: data.get("to") } });
      location.reload();
    },
    refused: (error) => {
      problem.textContent = [error.message, ...(error.errors ?? []).map((p) => p.detail)].join(" ");
      problem.hidden = false;
    },
  });
});
