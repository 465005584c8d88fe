/** The visitor's own device: a Worker with the engine in it, asked by messages, so that the page stays smooth. */

/** A failure on the device: `message` is a sentence. */
export class DeviceProblem extends Error {}

/** Opens the device's Worker; nothing is loaded before it is asked for. */
export class OwnDevice {
  #worker;
  #waiting = new Map();
  #next = 0;

  /** Whether this browser may have WebGPU; an adapter is another question. */
  static get possible() {
    return "gpu" in navigator;
  }

  /** The card of a checkpoint at an address, or of its bytes, which is ready to classify then; `{ card, adapter }`. */
  load(source, onProgress) {
    return this.#ask("load", { source }, [], onProgress);
  }

  /** The answer for a photo's file or an ImageBitmap, as `/predict` gives it; the overlay is a Blob. */
  classify(photo, { explain = false, trained = false } = {}) {
    return this.#ask("classify", { photo, explain, trained }, photo instanceof Blob ? [] : [photo]);
  }

  /** Gets ready to train on `{ classes, photos: [{ blob, label, name }], start, keepFeatures, epochs }`. */
  prepareTraining(options, onProgress) {
    return this.#ask("prepareTraining", options, [], onProgress);
  }

  /** Trains one epoch; its report, or undefined where it was stopped. Photos are classified between epochs. */
  trainEpoch(onProgress) {
    return this.#ask("trainEpoch", {}, [], onProgress);
  }

  /** Ends the epoch that is going on after its current step. */
  stopTraining() {
    this.#worker?.postMessage({ what: "stopTraining" });
  }

  /** The trained model's file. */
  trainedFile() {
    return this.#ask("trainedFile");
  }

  /** Proves the kernels on this device; `onProgress` hears of each case. */
  examine(quick, onProgress) {
    return this.#ask("examine", { quick }, [], onProgress);
  }

  #ask(what, details = {}, transfer = [], onProgress = () => {}) {
    this.#worker ??= this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onProgress });
      this.#worker.postMessage({ id, what, ...details }, transfer);
    });
  }

  #start() {
    const worker = new Worker(new URL("device_worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data: { id, result, error, progress } }) => {
      const waiting = this.#waiting.get(id);
      if (progress !== undefined) return waiting?.onProgress(progress);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new DeviceProblem(error));
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#fail(worker, event.message || "the engine could not be loaded");
    });
    return worker;
  }

  /** A Worker that failed answers nothing any more: the next question gets a new one. */
  #fail(worker, reason) {
    worker.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) {
      reject(new DeviceProblem(`Nothing can be computed on this device: ${reason}.`));
    }
    this.#waiting.clear();
  }
}
