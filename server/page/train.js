/** The page that trains: gathers photos, trains in a Worker, shows how it goes, tries the result and gives its file. */

import { ask, askForBytes } from "./api.js";
import { setUpCamera } from "./camera.js";
import { confusionTable } from "./card.js";
import { OwnDevice } from "./device.js";
import { Project } from "./project.js";
import { $, answerText, element, percent, showProbabilities, showStatus } from "./view.js";

const THUMBS = 18;

const device = new OwnDevice(), project = await Project.open();
const state = { running: false, stopping: false, ready: false, reports: [], classes: [] };
/** Files to begin from, by the choice's name, each a function that fetches its bytes. */
const starts = {};
let cameraClass, loadedModel;

function tellProblem(error) {
  $("problem").hidden = error === undefined;
  $("problem").textContent = error?.message ?? "";
}

/** Does what somebody asked for and shows what is in the way. */
const attempt = (work) => async (...args) => {
  tellProblem();
  try {
    await work(...args);
  } catch (error) {
    tellProblem(error);
  }
};

function showClasses() {
  for (const image of document.querySelectorAll(".thumb img")) URL.revokeObjectURL(image.src);
  $("classes").replaceChildren(...project.classes.map(classCard));
}

function classCard(one) {
  const name = element("input", { className: "name", value: one.name, ariaLabel: "Name of the class" });
  name.addEventListener("change", attempt(() => project.rename(one, name.value.trim() || one.name)));
  const file = element("input", {
    type: "file",
    accept: "image/*",
    multiple: true,
    className: "visually-hidden",
    tabIndex: -1,
  });
  file.setAttribute("aria-hidden", "true");
  file.addEventListener("change", attempt(() => addPhotos(one, [...file.files])));
  const button = (text, label, work) => {
    const made = element("button", {
      type: "button",
      className: "button",
      textContent: text,
      ariaLabel: label,
    });
    made.addEventListener("click", work);
    return made;
  };
  const card = element(
    "section",
    { className: "class", ariaLabel: `Class ${one.name}` },
    name,
    element("p", { className: "quiet", textContent: photosText(one.photos.length) }),
    thumbs(one),
    element(
      "div",
      { className: "buttons" },
      button("Add photos", `Add photos to ${one.name}`, () => file.click()),
      ...navigator.mediaDevices?.getUserMedia
        ? [button("Camera", `Camera: take photos of ${one.name}`, () => {
          cameraClass = one;
          $("open-camera").click();
        })]
        : [],
      button(
        "Remove",
        `Remove the class ${one.name}`,
        attempt(async () => {
          await project.removeClass(one);
          showClasses();
        }),
      ),
    ),
    file,
  );
  card.addEventListener("dragover", (event) => {
    event.preventDefault();
    card.toggleAttribute("data-over", true);
  });
  card.addEventListener("dragleave", () => card.removeAttribute("data-over"));
  card.addEventListener(
    "drop",
    attempt(async (event) => {
      event.preventDefault();
      await addPhotos(one, [...event.dataTransfer.files]);
    }),
  );
  return card;
}

const photosText = (n) => n === 1 ? "1 photo" : `${n} photos`;

function thumbs(one) {
  const shown = one.photos.slice(-THUMBS).map((photo, i) => {
    const image = element("img", { src: URL.createObjectURL(photo.blob), alt: "" });
    const label = `Remove photo ${i + 1} of ${one.name}`;
    const made = element(
      "button",
      { type: "button", className: "thumb", title: "Remove", ariaLabel: label },
      image,
    );
    made.addEventListener(
      "click",
      attempt(async () => {
        await project.removePhoto(one, photo);
        showClasses();
      }),
    );
    return made;
  });
  return element("div", { className: "thumbs" }, ...shown);
}

async function addPhotos(one, files) {
  const photos = files.filter(({ type }) => type.startsWith("image/"));
  await project.addPhotos(one, photos);
  showClasses();
  if (photos.length < files.length) {
    tellProblem(
      new Error(
        `${photosText(photos.length)} added; ${files.length - photos.length} of the files are no pictures.`,
      ),
    );
  }
}

/** A folder with a folder per class: the innermost folder's name is the class. */
async function addFolder(files) {
  const byClass = Map.groupBy(
    files.filter(({ type }) => type.startsWith("image/")),
    (file) => file.webkitRelativePath.split("/").at(-2),
  );
  if (byClass.size === 0) throw new Error("There is no picture in the folder.");
  for (const [name, photos] of byClass) {
    const one = project.classes.find((each) => each.name === name) ?? await project.addClass(name);
    await project.addPhotos(one, photos);
  }
  showClasses();
}

async function train() {
  const classes = project.classes.map(({ name }) => name);
  const photos = project.classes.flatMap((one, label) =>
    one.photos.map(({ blob }, i) => ({ blob, label, name: blob.name ?? `photo ${i + 1} of ${one.name}` }))
  );
  const start = await starts[$("start").value]?.();
  const epochs = Math.max(1, Math.min(1000, Math.round($("epochs").valueAsNumber || 30)));
  Object.assign(state, { ready: false, reports: [], classes });
  setRunning(true);
  $("progress").hidden = $("answer").hidden = true;
  try {
    const { leftOut } = await device.prepareTraining(
      { classes, photos, start, keepFeatures: start !== undefined && $("keep").checked, epochs },
      ({ what, done, total }) => showStatus("waiting", `${what} ${done} of ${total}`),
    );
    $("left-out").hidden = leftOut.length === 0;
    $("left-out").textContent = `Left out: ${leftOut.slice(0, 5).join(" ")}${leftOut.length > 5 ? " …" : ""}`;
    state.ready = true;
    state.epochs = epochs;
  } catch (error) {
    showStatus("away", "Not trained");
    throw error;
  } finally {
    setRunning(false);
  }
  await goOn();
}

/** Epoch after epoch, until all are done or somebody stops it. */
async function goOn() {
  setRunning(true);
  $("progress").hidden = false;
  try {
    while (!state.stopping && state.reports.length < state.epochs) {
      const epoch = state.reports.length + 1;
      const report = await device.trainEpoch(({ done, total }) => showStep(epoch, done / total));
      if (report === undefined) break;
      state.reports.push(report);
      showReport(report);
      await project.keepModel(await device.trainedFile());
      showModel();
    }
  } finally {
    setRunning(false);
  }
}

function setRunning(running) {
  Object.assign(state, { running, stopping: false });
  const finished = state.ready && state.reports.length >= state.epochs;
  $("run").disabled = running;
  $("stop").hidden = !running;
  $("continue").hidden = running || !state.ready || finished;
  if (running) showStatus("waiting", "Training");
  else if (state.ready) showStatus("ready", finished ? "Trained" : "Stopped");
}

function showStep(epoch, part) {
  $("epoch").textContent = `Epoch ${epoch} of ${state.epochs}`;
  $("bar").value = (epoch - 1 + part) / state.epochs;
}

function showReport({ epoch, train, valid }) {
  showStep(epoch, 1);
  $("figures").textContent = `loss ${train.loss.toFixed(3)}, ${percent(train.accuracy)} right` +
    (valid ? `; held out: ${percent(valid.accuracy)} of ${valid.n}` : "");
  const losses = state.reports.flatMap((each) => [each.train.loss, each.valid?.loss ?? 0]);
  const top = Math.max(...losses, 1e-6), last = Math.max(1, state.epochs - 1);
  const points = (lossOf) =>
    state.reports.map((each, i) =>
      `${(400 * i / last).toFixed(1)},${(155 - 150 * lossOf(each) / top).toFixed(1)}`
    ).join(" ");
  $("curve-train").setAttribute("points", points((each) => each.train.loss));
  $("curve-valid").setAttribute("points", valid ? points((each) => each.valid.loss) : "");
  $("confusion").replaceChildren(...valid ? [confusionTable(state.classes, valid.confusion, element)] : []);
}

async function tryPhoto(file) {
  const trained = state.ready;
  if (!trained && loadedModel !== project.model) {
    await device.load(await project.model.arrayBuffer());
    loadedModel = project.model;
  }
  const answer = await device.classify(file, { trained });
  if ($("tried-photo").src) URL.revokeObjectURL($("tried-photo").src);
  $("tried-photo").src = URL.createObjectURL(file);
  showProbabilities(answer);
  $("announcement").textContent = answerText(answer);
}

/** What was trained, now or on an earlier visit, can be tried, downloaded and trained further. */
function showModel() {
  for (const id of ["trial", "download", "start-trained"]) $(id).hidden = project.model === undefined;
}

function download() {
  const url = URL.createObjectURL(project.model);
  element("a", { href: url, download: "trained.safetensors" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The model of this page: the one beside it, or the one that its server gives. */
async function findGivenModel() {
  const { card, weights } = $("train").dataset;
  const address = weights ?? (await ask(card).catch(() => ({}))).weights;
  if (address === undefined) return;
  starts.given = () => askForBytes(address);
  $("start-given").hidden = false;
}

function chooseStart() {
  if ($("start").value === "file") $("start-file").click();
  $("keep-choice").hidden = $("start").value === "";
}

const chosen = (id, work) =>
  $(id).addEventListener(
    "change",
    attempt(async () => {
      const files = [...$(id).files];
      $(id).value = ""; // choosing the same again is a change, too
      if (files.length > 0) await work(files);
    }),
  );

$("add-class").addEventListener(
  "click",
  attempt(async () => {
    await project.addClass(`Class ${project.classes.length + 1}`);
    showClasses();
    $("classes").lastElementChild.querySelector(".name").select();
  }),
);
$("add-folder").addEventListener("click", () => $("folder").click());
chosen("folder", addFolder);
$("start").addEventListener("change", chooseStart);
chosen("start-file", ([file]) => {
  starts.file = () => file;
  $("start").querySelector("[value=file]").textContent = `on top of ${file.name}`;
});
$("start-file").addEventListener("cancel", () => {
  if (starts.file === undefined) $("start").value = "";
  $("keep-choice").hidden = $("start").value === "";
});
$("run").addEventListener("click", attempt(train));
$("continue").addEventListener("click", attempt(goOn));
$("stop").addEventListener("click", () => {
  state.stopping = true;
  device.stopTraining();
});
$("download").addEventListener("click", attempt(download));
$("try").addEventListener("click", () => $("try-file").click());
chosen("try-file", ([file]) => tryPhoto(file));
setUpCamera((file) => attempt(addPhotos)(cameraClass, [file]));
$("open-camera").hidden = false;
$("kept").hidden = !project.kept;
if (project.classes.length === 0) {
  await project.addClass("Class 1");
  await project.addClass("Class 2");
}
showClasses();
starts.trained = () => project.model;
showModel();
await findGivenModel();
