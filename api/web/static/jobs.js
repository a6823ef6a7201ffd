// The list of jobs: lines of running ones are kept up to date, and jobs that
// stand still can be taken up again.
import { request, Problem, notice, duration, showStatus } from "./app.js";

const every = 4000; // ms

function field(row, name) { return row.querySelector(`[data-field="${name}"]`); }

function show(row, job) {
  showStatus(field(row, "status"), job.status);
  field(row, "bar").value = 100 * job.progress.fraction;
  const { epochs_done: done, epochs_total: total, eta_seconds: eta } = job.progress;
  field(row, "progress").textContent = `${done} of ${total} epochs${eta === null ? "" : ` · ${duration(eta)} left`}`;
}

const over = (job) => ["succeeded", "failed", "cancelled", "paused"].includes(job.status);

async function refresh() {
  const rows = [...document.querySelectorAll("tr[data-live]")];
  if (rows.length === 0) return;
  // A reload would cut off what a button has just asked for.
  if (!document.hidden && !document.querySelector("[data-act]:disabled")) {
    try {
      for (const row of rows) {
        const job = await request(`/v1/training-jobs/${row.dataset.job}`);
        if (over(job)) {
          if (document.querySelector("[data-act]:disabled")) break;
          location.reload(); // its line holds more now
          return;
        }
        show(row, job);
      }
      lost?.();
      lost = null;
    } catch (e) {
      if (e instanceof Problem && e.status === 401) return; // app.js has said so
      lost ??= notice("The connection is lost. Reconnecting…", { kind: "warn", key: "stream" });
    }
  }
  setTimeout(refresh, every);
}
let lost = null;
setTimeout(refresh, every);

document.addEventListener("click", async (e) => {
  const button = e.target.closest("[data-act]");
  if (!button) return;
  button.disabled = true;
  try {
    await request(`/v1/training-jobs/${button.closest("tr").dataset.job}/${button.dataset.act}`, { method: "POST" });
    location.reload();
  } catch (problem) {
    notice(problem.message);
    button.disabled = false;
  }
});
