/** The page: takes a photo, asks the server, shows the answer. */

import { ask, Refusal, rememberToken } from "./api.js";
import { setUpCamera } from "./camera.js";
import { showCard } from "./card.js";
import { FORMATS, refusalOf } from "./formats.js";

const $ = (id) => document.getElementById(id);
const percent = (value) => value > 0 && value < 0.0005 ? "< 0.1 %" : `${(value * 100).toFixed(1)} %`;
const SHOWN = 5;
const STAGES = {
  transfer: "Transfer",
  decode: "Decode",
  queue: "Queue",
  compute: "Compute",
  overlay: "Overlay",
  other: "Other",
};

let current = new AbortController();
let photoUrl;
let lastFile;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function classify(file) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const refusal = await refusalOf(file).catch(() => undefined); // what cannot be read is the server's to say
  if (signal.aborted) return;
  if (refusal) return refuse(refusal);
  lastFile = file;
  showPhoto(file);
  setBusy(true);
  try {
    const query = new URLSearchParams({ explain: "true" });
    if ($("model").value) query.set("model", $("model").value);
    const form = new FormData();
    form.append("image", file, file.name || "photo");
    const started = performance.now();
    const answer = await ask(`/predict?${query}`, { method: "POST", body: form, signal });
    showAnswer(answer, performance.now() - started);
  } catch (error) {
    if (error.name !== "AbortError") showProblem(error);
  } finally {
    if (!signal.aborted) setBusy(false);
  }
}

/** Answers a file that is not sent: the photo before it is gone, too, or its picture would stand beside the sentence. */
function refuse(message) {
  lastFile = undefined;
  setBusy(false);
  $("photo").removeAttribute("src");
  $("frame").style.aspectRatio = "";
  $("frame").setAttribute("data-empty", "");
  $("overlay").hidden = true;
  $("slider").hidden = true;
  showProblem(new Error(message));
}

function setBusy(busy) {
  $("frame").toggleAttribute("data-busy", busy);
  $("stage").setAttribute("aria-busy", String(busy));
}

function showPhoto(file) {
  if (photoUrl) URL.revokeObjectURL(photoUrl);
  photoUrl = URL.createObjectURL(file);
  $("photo").src = photoUrl;
  $("photo").alt = "Your photo";
  $("photo").hidden = false;
  $("unshown").hidden = true;
  $("overlay").hidden = true;
  $("slider").hidden = true;
  $("frame").removeAttribute("data-empty");
}

function showAnswer(answer, roundTrip) {
  $("problem").hidden = true;
  $("blank").hidden = true;
  $("answer").hidden = false;
  $("verdict-class").textContent = answer.class;
  $("verdict-probability").textContent = percent(answer.probability);
  showBars(answer.probabilities);
  showTimes(answer.milliseconds, roundTrip);
  if (answer.overlay) {
    $("overlay").src = answer.overlay;
    $("overlay").alt = `Map of the regions that speak for ${answer.class}`;
    $("overlay").hidden = false;
    $("slider").hidden = false;
  }
  $("announcement").textContent = `${answer.class}, ${percent(answer.probability)}`;
}

function showBars(ranked) {
  const rows = ranked.map(({ class: name, probability }, i) => {
    const fill = element("span");
    const bar = element("div", { className: "bar", ariaHidden: "true" }, fill);
    requestAnimationFrame(() => fill.style.width = `${probability * 100}%`);
    const number = element("span", { className: "number", textContent: percent(probability) });
    return element(
      "li",
      { hidden: i >= SHOWN },
      element("span", { className: "name", textContent: name }),
      number,
      bar,
    );
  });
  $("bars").replaceChildren(...rows);
  $("more").hidden = rows.length <= SHOWN;
  $("more").textContent = `All ${rows.length} classes`;
}

function showTimes({ total, ...stages }, roundTrip) {
  const known = Object.values(stages).reduce((sum, milliseconds) => sum + milliseconds, 0);
  const parts = { transfer: Math.max(0, roundTrip - total), ...stages, other: Math.max(0, total - known) };
  const entries = Object.entries(parts).filter(([stage]) => stage !== "other" || parts.other >= 0.5);
  const shown = entries.map(([stage, milliseconds]) => {
    const part = element("span");
    part.dataset.stage = stage;
    part.style.flexGrow = String(milliseconds);
    const term = element("dt", { textContent: STAGES[stage] });
    term.dataset.stage = stage;
    const value = element("dd", { textContent: `${milliseconds.toFixed(1)} ms` });
    return { part, entry: element("div", {}, term, value) };
  });
  $("times").replaceChildren(...shown.map(({ part }) => part));
  $("legend").replaceChildren(...shown.map(({ entry }) => entry));
}

function showProblem(error) {
  if (error instanceof Refusal && error.status === 401) return askForToken();
  $("answer").hidden = true;
  $("blank").hidden = true;
  $("problem").hidden = false;
  $("problem").textContent = error.message;
}

function askForToken() {
  if (!$("token-dialog").open) $("token-dialog").showModal();
}

async function refreshStatus() {
  const pill = $("status");
  try {
    const health = await ask("/health", { accept: [503] });
    const words = { ready: "Ready", starting: "Starting", recovering: "Recovering", draining: "Stopping" };
    pill.dataset.state = health.ready ? "ready" : "waiting";
    setText(pill, words[health.status] ?? "Not ready");
    showModels(health.models.map((model) => model.name));
  } catch {
    pill.dataset.state = "away";
    setText(pill, "Not reachable");
  }
}

/** Screen readers tell every change of a status, so only changes are made. */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function showModels(names) {
  const select = $("model");
  const unique = [...new Set(names)];
  if ([...select.options].map((option) => option.value).join() === unique.join()) return;
  const chosen = select.value;
  select.replaceChildren(...unique.map((name) => element("option", { value: name, textContent: name })));
  if (unique.includes(chosen)) select.value = chosen;
  $("model-choice").hidden = unique.length < 2;
  void refreshCard();
}

async function refreshCard() {
  const query = $("model").value ? `?${new URLSearchParams({ model: $("model").value })}` : "";
  try {
    const card = await ask(`/model${query}`);
    showCard(card, element);
    $("known").textContent = `The model ${card.name} knows ${listing(card.classes)}. ` +
      "The classes will appear here, most probable first.";
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) askForToken();
    else $("card").hidden = true;
  }
}

function listing(classes) {
  if (classes.length > 12) return `${classes.length} classes`;
  return new Intl.ListFormat("en").format(classes);
}

function firstImage(transfer) {
  const files = [...transfer?.files ?? []];
  return files.find((file) => FORMATS.some(({ type }) => type === file.type)) ?? files[0];
}

function setUpDrop() {
  const frame = $("frame");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    frame.toggleAttribute("data-over", true);
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) frame.removeAttribute("data-over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    frame.removeAttribute("data-over");
    const file = firstImage(event.dataTransfer);
    if (file) classify(file);
  });
}

$("example").textContent = `curl -F image=@photo.jpg ${location.origin}/predict`;
$("choose").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) classify(file);
  $("file").value = ""; // choosing the same file again is a change, too
});
document.addEventListener("paste", (event) => {
  const file = firstImage(event.clipboardData);
  if (file) classify(file);
});
$("photo").addEventListener("load", () => {
  const { naturalWidth, naturalHeight } = $("photo");
  $("frame").style.aspectRatio = `${naturalWidth} / ${naturalHeight}`;
});
$("photo").addEventListener("error", () => {
  $("photo").hidden = true;
  $("unshown").hidden = false;
});
$("opacity").addEventListener("input", () => {
  const { value } = $("opacity");
  $("overlay").style.opacity = String(value / 100);
  $("opacity-value").textContent = `${value} %`;
});
$("more").addEventListener("click", () => {
  for (const row of $("bars").children) row.hidden = false;
  $("more").hidden = true;
});
$("model").addEventListener("change", () => {
  void refreshCard();
  if (lastFile) classify(lastFile);
});
$("token-form").addEventListener("submit", () => {
  rememberToken($("token").value);
  void refreshCard();
  if (lastFile) classify(lastFile);
});
setUpDrop();
setUpCamera(classify);
await refreshStatus();
await refreshCard();
setInterval(() => document.hidden || refreshStatus(), 10_000);
