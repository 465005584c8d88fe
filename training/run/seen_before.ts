/**
 * Photos that the weights a run starts from were trained on: where another seed drew another split, some of them are held out now, and
 * figures on those flatter the network.
 * @module
 */
import type { ListedPhoto } from "../../data/dataset/folder.ts";
import type { SplitName } from "../../data/dataset/listing.ts";
import { SPLIT_RULE } from "../../data/dataset/sampler.ts";
import { RecordedSplit, type SplitRecord } from "../../data/dataset/split_record.ts";
import { count } from "../../engine/text.ts";
import { loadTensors } from "../../model/checkpoint/checkpoint.ts";
import { transferCard } from "./transfer.ts";

/** Held-out photos that the starting weights were trained on. */
export interface SeenBefore {
  /** Of the validation photos. */
  readonly valid: number;
  /** Of the test photos. */
  readonly test: number;
}

/** How many held-out photos the starting weights were trained on; undefined where they do not say. */
export function seenBefore(
  { train, valid, test }: Readonly<Record<SplitName, readonly ListedPhoto[]>>,
  start: SplitRecord | undefined,
): SeenBefore | undefined {
  if (start === undefined) return undefined;
  const { trained } = new RecordedSplit(start).sort([...train, ...valid, ...test]);
  const count = (photos: readonly ListedPhoto[]) => photos.filter((photo) => trained.has(photo)).length;
  return { valid: count(valid), test: count(test) };
}

/** That figures will be flattered by what `who` had seen, as a sentence; undefined where they will not. */
export function seenBeforeText(
  { valid, test }: SeenBefore,
  of: { readonly valid: number; readonly test: number },
  who: string,
): string | undefined {
  const parts = [
    ...(test > 0 ? [`${test} of ${count(of.test, "test photo")}`] : []),
    ...(valid > 0 ? [`${valid} of ${count(of.valid, "validation photo")}`] : []),
  ];
  if (parts.length === 0) return undefined;
  const were = valid + test === 1 ? "was" : "were";
  return `${parts.join(" and ")} ${were} trained on by ${who}, so figures on them flatter the network`;
}

/** What a file of weights says for a run that starts from them; undefined where it says nothing. */
export interface StartOfWeights {
  /** The seed that splits the photos as they were split for the weights: none where another rule than this version's drew it. */
  readonly seed: number | undefined;
  /** Their architecture. */
  readonly model: string | undefined;
  /** Height and width of their input in pixels. */
  readonly size: number | undefined;
}

/** What the weights in a file say of themselves. Throws a `CheckpointError` where the file cannot be read. */
export async function startOfWeights(path: string): Promise<StartOfWeights> {
  const card = transferCard((await loadTensors(path)).metadata);
  const seed = card?.split?.rule === SPLIT_RULE ? card.split.seed : undefined;
  return { seed, model: card?.model, size: card?.preprocess.height };
}
