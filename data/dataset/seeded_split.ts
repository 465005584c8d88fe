/**
 * Splits photos by class at random: the same seed and the same names always give the same split.
 * @module
 */
import type { FoundPhoto, SplitName } from "./listing.ts";
import { shuffle, Stream } from "../../engine/random.ts";

/** The parts that validation and test get; training gets the rest. */
export interface Shares {
  readonly valid: number;
  readonly test: number;
}

/**
 * Gives each class's photos to the splits in these shares, at least one photo to each split that gets any while the class
 * has enough; a class's only photo is for training. The order of `photos` is kept.
 */
export function seededSplit(
  photos: readonly { class: string; path: string }[],
  seed: number,
  shares: Shares,
): FoundPhoto[] {
  const byClass = Map.groupBy(photos.keys(), (i) => photos[i]!.class);
  const splits = new Array<SplitName>(photos.length).fill("train");
  for (const [name, members] of byClass) {
    // A class keeps its split when other classes come or go.
    const order = shuffle(members.length, seed ^ hashName(name), 0, Stream.split);
    const valid = part(members.length, shares.valid, 1);
    const test = part(members.length, shares.test, 2);
    for (let i = 0; i < valid + test; i++) splits[members[order[i]!]!] = i < valid ? "valid" : "test";
  }
  return photos.map((photo, i) => ({ ...photo, split: splits[i]! }));
}

function part(count: number, share: number, spared: number): number {
  if (share === 0 || count <= spared) return 0;
  return Math.max(1, Math.round(count * share));
}

/** FNV-1a over UTF-16 code units. */
function hashName(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h;
}
