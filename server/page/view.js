/** What every page that classifies photos shows: the photo, the answer, a problem, and the ways by which a photo comes. */

export const $ = (id) => document.getElementById(id);
export const percent = (value) => value > 0 && value < 0.0005 ? "< 0.1 %" : `${(value * 100).toFixed(1)} %`;
const SHOWN = 5;
const STAGES = {
  transfer: "Transfer",
  decode: "Decode",
  queue: "Queue",
  compute: "Compute",
  overlay: "Overlay",
  other: "Other",
};

let photoUrl;
let overlayUrl;

/** Makes a DOM element. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** "a", "b" and "c", or how many there are. */
export function listing(classes) {
  if (classes.length > 12) return `${classes.length} classes`;
  return new Intl.ListFormat("en").format(classes);
}

/** Screen readers tell every change of a status, so only changes are made. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Tells in the header how things stand: `ready`, `waiting` or `away`, and in words. */
export function showStatus(state, words) {
  $("status").dataset.state = state;
  setText($("status"), words);
}

/** Says which classes an answer will choose from. */
export function showClasses(name, classes) {
  $("known").textContent = `The model ${name} knows ${listing(classes)}. ` +
    "The classes will appear here, most probable first.";
}

/** Shows that an answer is under way. */
export function setBusy(busy) {
  $("frame").toggleAttribute("data-busy", busy);
  $("stage").setAttribute("aria-busy", String(busy));
}

/** Shows a photo's file, without an answer. */
export function showPhoto(file) {
  if (photoUrl) URL.revokeObjectURL(photoUrl);
  photoUrl = URL.createObjectURL(file);
  $("photo").src = photoUrl;
  $("photo").alt = "Your photo";
  $("photo").hidden = false;
  $("unshown").hidden = true;
  hideOverlay();
  $("frame").removeAttribute("data-empty");
}

/** Empties the stage: a photo's picture must not stand beside a sentence about another file. */
export function clearPhoto() {
  setBusy(false);
  $("photo").removeAttribute("src");
  $("photo").hidden = true;
  $("frame").style.aspectRatio = "";
  $("frame").setAttribute("data-empty", "");
  hideOverlay();
}

function hideOverlay() {
  $("overlay").hidden = true;
  $("slider").hidden = true;
}

/** Shows an answer as `/predict` gives it; its overlay may be a Blob, too. `roundTrip` is how long it took from here, in milliseconds. */
export function showAnswer(answer, roundTrip) {
  showProbabilities(answer);
  if (answer.overlay) showOverlay(answer);
  showTimes(answer.milliseconds, roundTrip);
  $("announcement").textContent = answerText(answer);
}

/**
 * An answer in a few words, for screen readers.
 * @param {{ unknown?: boolean, class?: string | null, probability: number, probabilities: readonly { class: string }[] }} answer
 */
export function answerText({ unknown, probability, probabilities: [{ class: best }] }) {
  return unknown ? `Unknown, most like ${best}` : `${best}, ${percent(probability)}`;
}

/** Lays an answer's map over the photo. */
export function showOverlay({ overlay, probabilities: [{ class: best }] }) {
  if (overlayUrl) URL.revokeObjectURL(overlayUrl);
  overlayUrl = overlay instanceof Blob ? URL.createObjectURL(overlay) : undefined;
  $("overlay").src = overlayUrl ?? overlay;
  $("overlay").alt = `Map of the regions that speak for ${best}`;
  $("overlay").hidden = false;
  $("slider").hidden = false;
}

/** Shows the classes alone, as often as wished. */
export function showProbabilities({ unknown, probability, probabilities }) {
  const [{ class: best }] = probabilities;
  $("problem").hidden = true;
  $("blank").hidden = true;
  $("answer").hidden = false;
  $("verdict-class").textContent = unknown ? "Unknown" : best;
  $("verdict-probability").textContent = unknown ? "" : percent(probability);
  const reason = $("verdict-reason");
  if (reason) reason.hidden = !unknown;
  showBars(probabilities);
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

/** Shows where the time went. */
export function showTimes({ total, ...stages }, roundTrip) {
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

/** Shows a sentence in the answer's place. */
export function showProblem({ message }) {
  $("answer").hidden = true;
  $("blank").hidden = true;
  $("problem").hidden = false;
  $("problem").textContent = message;
}

/**
 * Hands every photo that is chosen, dropped or pasted to `onPhoto`, and sets up what belongs to the shown one. Of several files the first
 * whose type `isTaken` counts, or simply the first: what it is worth is judged later, by its bytes.
 */
export function setUpPhotos(onPhoto, isTaken = (type) => type.startsWith("image/")) {
  const firstImage = (transfer) => {
    const files = [...transfer?.files ?? []];
    return files.find(({ type }) => isTaken(type)) ?? files[0];
  };
  $("choose").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    if (file) onPhoto(file);
    $("file").value = ""; // choosing the same file again is a change, too
  });
  document.addEventListener("paste", (event) => {
    const file = firstImage(event.clipboardData);
    if (file) onPhoto(file);
  });
  setUpDrop((transfer) => {
    const file = firstImage(transfer);
    if (file) onPhoto(file);
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
}

function setUpDrop(onDrop) {
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
    onDrop(event.dataTransfer);
  });
}
