/**
 * What makes a trained network honest, chosen on photos that it was not trained on: the temperature of its probabilities, and how
 * unfamiliar a photo may be before it is called unknown.
 * @module
 */
import type { Calibration, ModelCard, Scale, UnknownRule } from "../../model/checkpoint/card.ts";
import type { Exemplars } from "../../model/checkpoint/exemplars.ts";
import { NetworkClassifier } from "../../model/inference/classifier.ts";
import {
  describedBy,
  distanceTo,
  energyScore,
  exemplarsOf,
  Familiarity,
} from "../../model/inference/familiarity.ts";
import { type Pass, probabilitiesOf } from "../../model/inference/inference.ts";
import type { Network } from "../../model/network.ts";
import { nameBelow } from "../../data/dataset/walk.ts";
import { findLabelIssues, type SuspectLabels } from "../../data/inspection/label_issues.ts";
import { count } from "../../engine/text.ts";
import { calibrate } from "./calibration.ts";
import type { PhotoSource } from "../photos/photos.ts";
import type { Communicator } from "../../distributed/communicator.ts";
import { eachPrediction, logitsOf, type Predictions } from "./predictions.ts";

/** Training photos that are kept to compare with, at most. */
const EXEMPLARS = 2000;

/** Validation photos without which nothing is chosen. */
export const FEWEST = 20;

/** Fewer validation photos than these are a weak choice: one more or less of them moves a rate of 5 % by a point or more. */
export const FEW = 50;

/** What is chosen, as a checkpoint holds it. */
export interface Trust {
  /** Of its card. */
  readonly calibration: Calibration;
  /** Of its card; absent where no photo may be refused. */
  readonly unknown: UnknownRule | undefined;
  /** What the rule compares with; absent without a rule, and where the network has too few maps. */
  readonly exemplars: Exemplars | undefined;
  /** The validation photos as the network sees them. */
  readonly predictions: Predictions;
}

/** How it is chosen. */
export interface TrustOptions {
  /** Share of the validation photos that may be called unknown; 0: none is, of any photos. */
  readonly falseRefusals: number;
  /** Photos in one pass. */
  readonly batch: number;
  /** Called after each batch. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Who computes; default: this process alone. */
  readonly ranks?: Communicator | undefined;
}

/**
 * Passes training and validation photos through a network as inference sees them. Undefined with fewer than 20 validation photos; of a
 * training set of more than 2,000 as many of it are looked at.
 */
export async function chooseTrust(
  network: Network,
  card: ModelCard,
  { train, valid }: { readonly train: PhotoSource; readonly valid: PhotoSource },
  { falseRefusals, batch, ranks, onProgress }: TrustOptions,
): Promise<Trust | undefined> {
  if (valid.entries.length < FEWEST) return undefined;
  const maps = falseRefusals > 0 ? comparedMaps(network) : [];
  const kept = someOf(train, maps.length > 0 ? EXEMPLARS : 0);
  const { calibration: _, unknown: __, ...plain } = card;
  const classifier = new NetworkClassifier(network, plain, batch, { maps });
  const total = kept.entries.length + valid.entries.length;
  const pass = async (source: PhotoSource, before: number) => {
    const passes: Pass[] = [];
    const options = { ranks, onProgress: (done: number) => onProgress?.(before + done, total) };
    for await (const { logits, moments } of eachPrediction(classifier, source, options)) {
      passes.push({ logits, moments });
    }
    return passes;
  };
  try {
    const seen = await pass(kept, 0), held = await pass(valid, seen.length);
    const exemplars = seen.length > 0
      ? exemplarsOf(maps, seen.map(({ moments }) => describedBy(moments)))
      : undefined;
    const predictions = predictionsOf(held, card.classes, valid);
    return {
      predictions,
      calibration: calibrate(predictions),
      unknown: falseRefusals > 0 ? unknownRule(held, exemplars, falseRefusals) : undefined,
      exemplars,
    };
  } finally {
    await classifier.close();
  }
}

/** The photos whose labels are likely wrong, the likeliest first, by a network that was not trained on them. */
export function suspectsAmong(predictions: Predictions, dir: string): SuspectLabels {
  const { classes, labels, paths } = predictions;
  const rows = paths.map((_, i) => probabilitiesOf(logitsOf(predictions, i)));
  const issues = findLabelIssues([...labels], rows).map(({ index, label, suggested, margin }) => ({
    file: nameBelow(dir, paths[index]!).replaceAll("\\", "/"),
    class: classes[label]!,
    suggested: classes[suggested]!,
    margin,
  }));
  return { judged: paths.length, trainedOn: 0, issues };
}

/** What was chosen on that many validation photos, or why nothing was, in lines for people. */
export function trustLines(trust: Trust | undefined, photos: number): string[] {
  if (!trust) {
    const few = `Trust     ${count(photos, "validation photo")} ${photos === 1 ? "is" : "are"} too few`;
    return [`${few} to choose a temperature and what is unknown on: wanted at least ${FEWEST}`];
  }
  const { calibration: { temperature, eceBefore, eceAfter }, unknown } = trust;
  const error = `calibration error ${eceBefore.toFixed(3)} before, ${eceAfter.toFixed(3)} after`;
  const refused = unknown
    ? `; photos are unknown that are less familiar than ${
      Math.round(100 * (1 - unknown.falseRefusals))
    } % of these`
    : "";
  return [
    `Trust     temperature ${temperature.toFixed(3)} by ${photos} validation photos (${error})${refused}`,
    ...photos < FEW
      ? [`Warning   ${photos} validation photos are few to choose a temperature and what is unknown on`]
      : [],
  ];
}

/** The rule by which the given share of these passes, rounded down, is unknown. */
export function unknownRule(
  held: readonly Pass[],
  exemplars: Exemplars | undefined,
  falseRefusals: number,
): UnknownRule {
  const rule = {
    falseRefusals,
    photos: held.length,
    energy: scaleOf(held.map(({ logits }) => energyScore(logits))),
    ...exemplars && {
      distance: scaleOf(held.map(({ moments }) => distanceTo(exemplars, describedBy(moments)))),
    },
  };
  const familiarity = new Familiarity(rule, exemplars);
  const scores = held.map((pass) => familiarity.of(pass)).sort((a, b) => a - b);
  return {
    ...rule,
    threshold: scores[Math.min(scores.length - 1, Math.floor(falseRefusals * scores.length))]!,
  };
}

/** The maps that photos are compared by: all but the first, which sees edges. */
function comparedMaps({ featureMaps }: Network): readonly string[] {
  return featureMaps.slice(1);
}

/** Median and distance between the quartiles; a spread of 1 where all are alike. */
function scaleOf(values: readonly number[]): Scale {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  return { centre: at(0.5), spread: at(0.75) - at(0.25) || 1 };
}

/** At most so many of a source's photos, evenly from all of it, which lies in the order of its classes or of its files. */
function someOf(source: PhotoSource, most: number): PhotoSource {
  const { entries } = source;
  const count = Math.min(most, entries.length);
  const chosen = Array.from({ length: count }, (_, i) => Math.floor(i * entries.length / count));
  return { entries: chosen.map((index) => entries[index]!), pixels: (i) => source.pixels(chosen[i]!) };
}

function predictionsOf(
  passes: readonly Pass[],
  classes: readonly string[],
  { entries }: PhotoSource,
): Predictions {
  const logits = new Float32Array(passes.length * classes.length);
  passes.forEach((pass, i) => logits.set(pass.logits, i * classes.length));
  return {
    classes: [...classes],
    logits,
    labels: Uint32Array.from(entries, ({ label }) => label),
    paths: entries.map(({ path = "" }) => path),
  };
}
