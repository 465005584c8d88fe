/** The page of a static folder: everything is computed on the visitor's own device, and works without a network after the first visit. */

import { setUpCamera } from "./camera.js";
import { showCard } from "./card.js";
import { OwnDevice } from "./device.js";
import { setUpLive } from "./live.js";
import {
  $,
  clearPhoto,
  element,
  setBusy,
  setUpPhotos,
  showAnswer,
  showClasses,
  showOverlay,
  showPhoto,
  showProblem,
  showStatus,
  showTimes,
} from "./view.js";

const device = new OwnDevice();
let latest = 0;

/** The model, once it is ready; a failure is told once and then to every photo that comes. */
const ready = start();

async function start() {
  showStatus("waiting", "Loading");
  try {
    const files = await (await fetch("model/card.json")).json();
    showClasses(files.name, files.classes);
    showCard(files, element);
    const { card, adapter } = await device.load(
      new URL("model/model.safetensors", location.href).href,
      ({ what, done, total }) => showStatus("waiting", `${what} ${done} of ${total}`),
    );
    showCard({ ...card, name: files.name, adapter }, element);
    showStatus("ready", "Ready");
  } catch (error) {
    showStatus("away", "No answer here");
    showProblem(error);
    throw error;
  }
}

async function classify(file) {
  const turn = ++latest;
  showPhoto(file);
  setBusy(true);
  try {
    await ready;
    const started = performance.now();
    const answer = await device.classify(file);
    if (turn !== latest) return;
    showAnswer(answer, performance.now() - started);
    // Its kernels are others: the answer does not wait for them to compile.
    const again = performance.now();
    const explained = await device.classify(file, { explain: true });
    if (turn !== latest) return;
    showOverlay(explained);
    showTimes(explained.milliseconds, performance.now() - again);
  } catch (error) {
    if (turn !== latest) return;
    clearPhoto();
    showProblem(error);
  } finally {
    if (turn === latest) setBusy(false);
  }
}

/** Keeps all files of the folder for visits without a network; pages of insecure origins cannot. The first answer goes first. */
async function keepForLater() {
  await ready.catch(() => {}); // shown above
  const registration = await navigator.serviceWorker?.register("service_worker.js").catch(() => undefined);
  if (registration === undefined) return;
  await navigator.serviceWorker.ready;
  $("kept").hidden = false;
}

setUpPhotos(classify);
setUpCamera(classify);
setUpLive({ device, ready, onStart: () => latest++ });
void keepForLater();
