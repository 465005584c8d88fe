/** Follows a run: takes over what of the page has changed, and leaves alone what has not, with what is open or scrolled in it. */

const report = document.getElementById("report");
// What the page shows already is not sent again.
const source = new EventSource(`events${new URL(import.meta.url).search}`);

source.addEventListener("report", ({ data }) => {
  const fresh = new DOMParser().parseFromString(data, "text/html").body;
  update(report.querySelector(".top"), fresh.querySelector(".top"));
  const main = report.querySelector("main"), freshMain = fresh.querySelector("main");
  const parts = [...main.children], freshParts = [...freshMain.children];
  // Sections come early in a run; later only what is in them changes.
  const same = parts.length === freshParts.length && parts.every((part, k) => part.id === freshParts[k].id);
  if (!same) return void update(main, freshMain);
  parts.forEach((part, k) => update(part, freshParts[k]));
});

source.addEventListener("end", () => source.close());

source.addEventListener("error", () => {
  if (source.readyState !== EventSource.CLOSED) say("The connection is lost; trying again");
});

/** What was sent of each part that is shown. */
const sent = new WeakMap();

/** Puts one element in another's place where they differ; what was unfolded stays so. */
function update(old, fresh) {
  const text = fresh.outerHTML;
  if (sent.get(old) === text) return;
  const open = [...old.querySelectorAll("details")].map((part) => part.open);
  [...fresh.querySelectorAll("details")].forEach((part, k) => part.open = open[k] ?? false);
  old.replaceWith(fresh);
  sent.set(fresh, text);
}

function say(text) {
  const pill = report.querySelector(".pill");
  if (!pill) return;
  pill.textContent = text;
  pill.dataset.state = "away";
}
