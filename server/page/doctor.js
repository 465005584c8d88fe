/** The check of a device: runs the engine's own cases in a Worker and shows each as soon as it is there. */

import { OwnDevice } from "./device.js";
import { $, element, showStatus } from "./view.js";

const device = new OwnDevice();
let report;

async function check(quick) {
  const buttons = [$("quick"), $("all")];
  for (const button of buttons) button.disabled = true;
  $("rows").replaceChildren();
  for (const id of ["problem", "outcome", "copy"]) $(id).hidden = true;
  $("cases").hidden = false;
  showStatus("waiting", "Checking");
  let done = 0;
  try {
    report = await device.examine(quick, (row) => {
      showRow(row);
      showStatus("waiting", `${++done} checked`);
    });
    showReport(report);
  } catch ({ message }) {
    showStatus("away", "Not checked");
    $("cases").hidden = done === 0;
    $("problem").hidden = false;
    $("problem").textContent = message;
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

function showRow({ op, name, checks, passed, failure }) {
  const slopes = checks.filter(({ quantity }) => quantity.startsWith("slope of "));
  const others = checks.filter((each) => !slopes.includes(each));
  const wrong = checks.filter(({ error, tolerance }) => !(error <= tolerance))
    .map(({ quantity, error, tolerance }) => `${quantity}: ${error.toExponential(1)}, allowed ${tolerance}`);
  const cells = [passed ? "ok" : "wrong", worst(others), worst(slopes)].map((text) =>
    element("td", { className: "number", textContent: text })
  );
  const words = [`${op} ${name}`, ...wrong, ...failure ? [failure] : []].map((text) =>
    element("div", { textContent: text })
  );
  const row = element("tr", {}, ...cells, element("td", {}, ...words));
  row.dataset.passed = String(passed);
  if (passed) $("rows").append(row);
  else $("rows").prepend(row);
}

const worst = (checks) =>
  checks.length === 0 ? "–" : Math.max(...checks.map(({ error }) => error)).toExponential(1);

function showReport({ adapter, passed, failed, seconds }) {
  const fine = failed === 0;
  showStatus(fine ? "ready" : "away", fine ? "All correct" : "Wrong results");
  $("verdict-words").textContent = fine
    ? `All ${passed} cases are right.`
    : `${failed} of ${passed + failed} cases are wrong.`;
  $("verdict-time").textContent = `${seconds.toFixed(1)} s`;
  $("announcement").textContent = $("verdict-words").textContent;
  const facts = {
    "Adapter": `${adapter.name} (${adapter.kind})`,
    "Subgroups": adapter.subgroupSize > 0 ? `${adapter.subgroupSize} lanes` : "not used",
    "Features": adapter.features.join(", "),
    "Limits": Object.entries(adapter.limits).map(([name, value]) => `${name} ${value.toLocaleString("en")}`)
      .join(", "),
    "Browser": adapter.runtime,
  };
  $("adapter").replaceChildren(
    ...Object.entries(facts).flatMap(([term, value]) => [
      element("dt", { textContent: term }),
      element("dd", { textContent: value }),
    ]),
  );
  for (const id of ["outcome", "copy"]) $(id).hidden = false;
}

$("quick").addEventListener("click", () => check(true));
$("all").addEventListener("click", () => check(false));
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(JSON.stringify(report, undefined, 1));
    $("copy").textContent = "Copied";
  } catch {
    $("copy").textContent = "The browser does not allow it";
  }
  setTimeout(() => $("copy").textContent = "Copy the report", 3000);
});
