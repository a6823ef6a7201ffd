// The list of searches, and the form that starts one.
import { $, el, request, notice } from "./app.js";

$("begin").addEventListener("submit", async (e) => {
  e.preventDefault();
  const button = e.target.querySelector("button");
  const say = (...lines) => $("body-problems").replaceChildren(...lines.map((l) => el("p", { class: "problem bad-text small" }, l)));
  let json;
  try {
    json = JSON.parse($("body").value);
  } catch (problem) {
    say(`This is not JSON: ${problem.message}`);
    return;
  }
  say();
  button.disabled = true;
  try {
    const made = await request("/v1/searches", { method: "POST", json, headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) } });
    location.assign(`/searches/${made.id}`);
  } catch (problem) {
    button.disabled = false;
    if (problem.errors?.length) say(...problem.errors.map((p) => `${p.pointer}: ${p.detail}`));
    else notice(problem.message);
  }
});
