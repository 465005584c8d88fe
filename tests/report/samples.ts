/** A run's log and a classifier's report that took no training, for tests of pages. */
import type { PhotoStore } from "../../data/dataset/photo_store.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { NetworkClassifier } from "../../model/inference/classifier.ts";
import { type ClassifierReport, reportOn } from "../../report/classifier_report.ts";
import type { RunLog } from "../../report/event_log.ts";
import { EVALUATION } from "./events.ts";

const time = "2026-01-01T00:00:00.000Z";

/** What a run of that many steps told. */
export function logOf(steps: number, options: Record<string, unknown> = {}, command?: string[]): RunLog {
  const every = Array.from({ length: Math.floor(steps / 10) }, (_, i) => 10 * (i + 1));
  return {
    starts: [{
      ...{
        event: "start",
        time,
        options,
        adapter: "test",
        model: "compact",
        parameters: 1000,
        data: "photos",
      },
      ...{ split: "", classes: ["cat", "dog"], images: { train: 320, valid: 4, test: 0 }, out: "run" },
      ...{ epochs: steps / 100, steps },
      ...command && { command },
    }],
    steps: every.map((step) => ({
      ...{ event: "step", time, epoch: Math.ceil(step / 100), step, steps, loss: 100 / step, accuracy: 0.5 },
      ...{ lr: 0.1, imagesPerSecond: 100, secondsLeft: 3, deviceBytes: 1e6 },
    })),
    epochs: every.filter((step) => step % 100 === 0).map((step) => ({
      ...{ event: "epoch", time, epoch: step / 100, step, trainLoss: 0.5, trainAccuracy: 0.5, best: true },
      ...{ valid: structuredClone(EVALUATION) as never, imagesPerSecond: 100 },
    })),
    ...{ notes: [], end: undefined, seconds: 60 },
  };
}

/** What a classifier that guesses sees: as many cells as a layer has. */
type Cells = (layer: string | undefined) => number;

/** A report on that many photos of noise, `side` pixels a side, by a classifier that guesses. */
export async function reportOf(
  count: number,
  classCount: number,
  side: number,
  cells: Cells = () => 2,
): Promise<ClassifierReport> {
  const classes = Array.from({ length: classCount }, (_, k) => `class ${k}`);
  const entries = Array.from({ length: count }, (_, i) => ({
    ...{ path: `/photos/class ${i % classCount}/photo ${i}.jpg`, label: i % classCount },
    ...{ width: side, height: side, shard: 0, offset: 0 },
  }));
  const store = {
    entries,
    // What no codec makes small.
    readInto(index: number, target: Uint8Array) {
      for (let i = 0, x = index + 1; i < target.length; i++) {
        x = Math.imul(x, 1664525) + 1013904223;
        target[i] = x >>> 24;
      }
    },
  } as unknown as PhotoStore;
  const classifier = {
    card: {
      preprocess: defaultPreprocess(64),
      calibration: { temperature: 2, photos: count, eceBefore: 0.2, eceAfter: 0.1234 },
      unknown: { threshold: 0, falseRefusals: 0.05, photos: count, energy: { centre: 0, spread: 1 } },
    },
    network: { featureMaps: ["early", "middle", "last"] },
    explain: (_: unknown, { layer }: { layer?: string }) => {
      const width = cells(layer);
      const data = Float32Array.from({ length: width * width }, (_, i) => i / (width * width));
      return Promise.resolve({ width, height: width, data });
    },
  } as unknown as NetworkClassifier;
  const predictions = {
    classes,
    logits: Float32Array.from({ length: count * classCount }, (_, i) => Math.sin(i * i)),
    labels: Uint32Array.from(entries, ({ label }) => label),
    paths: entries.map(({ path }) => path),
  };
  return await reportOn(classifier, store, predictions, { dir: "/photos", split: "validation" });
}
