/** The server's page: takes a photo, asks the server, shows the answer. */

import { ask, askForBytes, Refusal, rememberToken } from "./api.js";
import { setUpCamera } from "./camera.js";
import { showCard } from "./card.js";
import { FORMATS, refusalOf } from "./formats.js";
import { setUpOwnDevice } from "./own_device.js";
import {
  $,
  clearPhoto,
  element,
  setBusy,
  setUpPhotos,
  showAnswer,
  showClasses,
  showPhoto,
  showProblem,
  showStatus,
} from "./view.js";

let current = new AbortController();
let lastFile;
const ownDevice = setUpOwnDevice({
  fetchBytes: askForBytes,
  onChange: () => lastFile && classify(lastFile),
});

async function classify(file) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const device = await ownDevice.chosen();
  // What cannot be read is the server's to say.
  const refusal = device ? undefined : await refusalOf(file).catch(() => undefined);
  if (signal.aborted) return;
  if (refusal) return refuse(refusal);
  lastFile = file;
  showPhoto(file);
  setBusy(true);
  try {
    const started = performance.now();
    const answer = await (device ? device.classify(file, { explain: true }) : upload(file, signal));
    if (!signal.aborted) showAnswer(answer, performance.now() - started);
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) showFailure(error);
  } finally {
    if (!signal.aborted) setBusy(false);
  }
}

async function upload(file, signal) {
  const query = new URLSearchParams({ explain: "true" });
  if ($("model").value) query.set("model", $("model").value);
  const form = new FormData();
  form.append("image", file, file.name || "photo");
  return await ask(`/predict?${query}`, { method: "POST", body: form, signal });
}

/** Answers a file that is not sent. */
function refuse(message) {
  lastFile = undefined;
  clearPhoto();
  showProblem(new Error(message));
}

function showFailure(error) {
  if (error instanceof Refusal && error.status === 401) askForToken();
  else showProblem(error);
}

function askForToken() {
  if (!$("token-dialog").open) $("token-dialog").showModal();
}

async function refreshStatus() {
  try {
    const health = await ask("/health", { accept: [503] });
    const words = { ready: "Ready", starting: "Starting", recovering: "Recovering", draining: "Stopping" };
    showStatus(health.ready ? "ready" : "waiting", words[health.status] ?? "Not ready");
    showModels(health.models.map((model) => model.name));
  } catch {
    showStatus("away", "Not reachable");
  }
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
    ownDevice.offer(card.weights);
    $("train-link").hidden = card.weights === undefined;
    showClasses(card.name, card.classes);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) askForToken();
    else $("card").hidden = true;
  }
}

$("example").textContent = `curl -F image=@photo.jpg ${location.origin}/predict`;
$("model").addEventListener("change", () => {
  void refreshCard();
  if (lastFile) classify(lastFile);
});
$("token-form").addEventListener("submit", () => {
  rememberToken($("token").value);
  void refreshCard();
  if (lastFile) classify(lastFile);
});
setUpPhotos(classify, (type) => FORMATS.some((format) => format.type === type));
setUpCamera(classify);
await refreshStatus();
await refreshCard();
setInterval(() => document.hidden || refreshStatus(), 10_000);
