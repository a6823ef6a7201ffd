// The list of revisions: two can be compared, one can be promoted.
import { $, request } from "./app.js";

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

const dialog = $("promote");
let row = null;
document.addEventListener("click", (e) => {
  if (!e.target.closest("[data-promote]")) return;
  row = e.target.closest("tr");
  dialog.querySelector("[data-what]").textContent = row.dataset.revision;
  dialog.querySelector(".problem").hidden = true;
  dialog.showModal();
});

dialog?.querySelector("form").addEventListener("submit", async (e) => {
  if (e.submitter?.value !== "go") return;
  e.preventDefault();
  const problem = dialog.querySelector(".problem");
  e.submitter.disabled = true;
  try {
    await request("/v1/models/promote", { method: "POST", json: { repo: row.dataset.repo, revision: row.dataset.revision, to: $("to").value } });
    location.reload();
  } catch (refused) {
    problem.textContent = [refused.message, ...(refused.errors ?? []).map((p) => p.detail)].join(" ");
    problem.hidden = false;
    e.submitter.disabled = false;
  }
});
