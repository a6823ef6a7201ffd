// Questions in modal dialogs. Each question is an element of its own, made from a
// <template>, because a dialog's close event comes as a later task: one element
// asked twice in quick succession would let the first close answer the second
// question.

import { $ } from "./app.js";

/** Makes the dialog of a template; one of an earlier question is closed and gone. */
export function dialog(template) {
  const made = document.importNode($(template).content.firstElementChild, true);
  const earlier = $(made.id);
  earlier?.close();
  earlier?.remove();
  document.body.append(made);
  return made;
}

/**
 * Shows a dialog and resolves once it is answered: to its form's data if the form
 * was submitted by the button with value "yes", to null otherwise.
 * act(data), if given, runs before the dialog closes, with the buttons disabled;
 * when it throws, the dialog stays open and refused(error) shows why.
 */
export function answer(made, { focus, act, refused } = {}) {
  const form = made.querySelector("form");
  let data = null;
  form.addEventListener("submit", async (e) => {
    if (e.submitter?.value !== "yes") return;
    const given = new FormData(form);
    if (!act) { data = given; return; }
    e.preventDefault();
    const buttons = [...form.querySelectorAll("button")];
    for (const b of buttons) b.disabled = true;
    try {
      await act(given);
      data = given;
      made.close();
    } catch (error) {
      refused(error);
      for (const b of buttons) b.disabled = false;
    }
  });
  made.showModal();
  focus?.focus();
  return new Promise((done) => made.addEventListener("close", () => { made.remove(); done(data); }));
}
