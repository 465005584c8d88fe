/** The engine in a Worker: loads a model, classifies photos and proves the kernels, on the visitor's own GPU. */

// Where it lies only pages know: the module is built for them (`deno task bundle`).
const engine = import(new URL("alexnet.js", import.meta.url).href);
engine.catch(() => {}); // told to whoever asks

let gpu;
let classifier;
let source;
let training;
let stop = new AbortController();

const ACTIONS = {
  async load({ source: given }, tell) {
    source = given;
    await open(tell);
    return { card: classifier.card, adapter: classifier.adapter };
  },

  async classify({ photo, explain, trained }) {
    const { decodeSide, namedProbabilities, readPhoto } = await engine;
    if (trained && training === undefined) {
      throw new Error("The device was lost: train again, on top of what was trained");
    }
    if (!trained && classifier === undefined) await open(() => {});
    const { card } = trained ? training : classifier;
    const started = performance.now();
    const image = await readPhoto(photo, { shorterSide: decodeSide(card.preprocess) });
    if (photo instanceof ImageBitmap) photo.close();
    const decoded = performance.now();
    const [answer] =
      await (trained
        ? training.evaluator.classify([image], { explain })
        : withDevice(() => classifier.classify([image], { explain })));
    const computed = performance.now();
    const overlay = answer.heatmap && await paint(answer.heatmap, image, card.preprocess);
    const painted = performance.now();
    return {
      ...namedProbabilities(card.classes, answer),
      ...overlay && { overlay },
      milliseconds: {
        decode: decoded - started,
        compute: computed - decoded,
        ...overlay && { overlay: painted - computed },
        total: painted - started,
      },
    };
  },

  /** Decodes photos and builds what trains on them; one that cannot be decoded is left out and named. */
  async prepareTraining({ photos, classes, start, ...options }, tell) {
    const { decodeCheckpoint, decodeSide, PhotoTraining, readCheckpoint, readPhoto } = await engine;
    await openGpu(() => {});
    training?.[Symbol.dispose]();
    training = undefined;
    const given = start && await readCheckpoint(typeof start === "string" ? new URL(start) : start);
    const checkpoint = given && decodeCheckpoint(given.bytes, given.name);
    const shorterSide = decodeSide(checkpoint?.card.preprocess ?? { height: 64, width: 64, antialias: true });
    const decoded = [], leftOut = [];
    for (const [i, { blob, label, name }] of photos.entries()) {
      try {
        decoded.push({ ...await readPhoto(blob, { shorterSide }), label });
      } catch (error) {
        leftOut.push(`${name}: ${sentence(error)}`);
      }
      tell({ what: "Reading photo", done: i + 1, total: photos.length });
    }
    training = await PhotoTraining.create(gpu, { ...options, classes, photos: decoded, start: checkpoint });
    return { adapter: gpu.name, leftOut, epochs: training.epochs };
  },

  /** An epoch of it; undefined where it was stopped before its end. */
  async trainEpoch(_, tell) {
    stop = new AbortController();
    const onStep = (done, total) => tell({ done, total });
    return await training.runEpoch({ stop: stop.signal, onStep });
  },

  /** The trained model as it is now, as a file's bytes. */
  async trainedFile() {
    return await training.file();
  },

  async examine({ quick }, tell) {
    const { ALL_CASES, examineBrowser, QUICK_CASES } = await engine;
    await openGpu(() => {});
    return await examineBrowser(gpu, quick ? QUICK_CASES : ALL_CASES, tell);
  },
};

/** A device that is lost takes everything on it along: the next question opens another. */
async function openGpu(tell) {
  const { Gpu } = await engine;
  if (gpu !== undefined) return;
  const opened = gpu = await Gpu.request({
    onCompile: (what, done, total) => tell({ what: `${what} kernel`, done, total }),
  });
  void opened.lost.then(() => {
    if (gpu === opened) gpu = classifier = training = undefined;
  });
}

async function open(tell) {
  const { loadClassifier } = await engine;
  await openGpu(tell);
  const address = typeof source === "string" ? new URL(source) : source;
  const next = await loadClassifier(address, { gpu, maxBatch: 1 });
  await classifier?.close();
  classifier = next;
  await classifier.warm([1]);
}

/** Does it again on a new device where this one was lost, as happens when a driver restarts or a laptop sleeps. */
async function withDevice(work) {
  try {
    return await work();
  } catch (error) {
    const { DeviceLostError } = await engine;
    if (!(error instanceof DeviceLostError)) throw error;
    gpu = classifier = undefined;
    await open(() => {});
    return await work();
  }
}

async function paint(heatmap, image, preprocess) {
  const { evaluationMap, overlayPixels } = await engine;
  const map = evaluationMap(image, preprocess, preprocess.resize);
  const { width, height, data } = overlayPixels({ heatmap, photo: image, input: preprocess, map });
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(
    new ImageData(new Uint8ClampedArray(data.buffer), width, height),
    0,
    0,
  );
  return await canvas.convertToBlob();
}

// One after the other: a photo that comes while a model loads waits for it.
let queue = Promise.resolve();
addEventListener("message", ({ data: { id, what, ...details } }) => {
  if (what === "stopTraining") return stop.abort();
  queue = queue.then(async () => {
    try {
      const result = await ACTIONS[what](details, (progress) => postMessage({ id, progress }));
      postMessage({ id, result });
    } catch (error) {
      postMessage({ id, error: sentence(error) });
    }
  });
});

function sentence({ message }) {
  return /[.!?]$/.test(message) ? message : `${message}.`;
}
