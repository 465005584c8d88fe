/**
 * Which photo belongs to which split, a pure function of the seed and the names.
 * @module
 */
import { createHash } from "node:crypto";
import type { FoundPhoto, SplitName } from "./listing.ts";
import { shuffle, Stream } from "../../engine/random.ts";

/** The parts that validation and test get; training gets the rest. */
export interface Shares {
  /** 0 to under 1. */
  readonly valid: number;
  /** 0 to under 1. */
  readonly test: number;
}

/** The version of `hashedSplit`'s rule; `shuffledSplit` is version 1. */
export const SPLIT_RULE = 2;

/** A photo to be given to a split: its class, and its path in the class's folder. */
type Named = Pick<FoundPhoto, "class" | "file">;

/**
 * Gives each photo to a split by a hash of its name and the seed, so that photos that come or go move no other one: the shares hold on
 * average: of a class of n photos a share s has n * s, give or take sqrt(n * s * (1 - s)) (20 ± 4 of 200). Where chance leaves a split of a
 * class empty it gets the class's next photo in the order of the hashes, which goes back to training when another comes whose hash says
 * so; the last in that order is always for training. So a training photo becomes a held-out one only where a class of one or two grows,
 * or where all of a class's hashes lie in the shares (0.2 ** n for n photos and shares of 0.1).
 * The order of `photos` is kept.
 */
export function hashedSplit<P extends Named>(
  photos: readonly P[],
  seed: number,
  shares: Shares,
): (P & { split: SplitName })[] {
  const splits = new Map<P, SplitName>();
  for (const members of Map.groupBy(photos, (photo) => photo.class).values()) {
    const order = placed(members, seed);
    const last = order.pop()!;
    splits.set(last.photo, "train");
    const drawn = order.map(({ at }): SplitName =>
      at < shares.valid ? "valid" : at < shares.valid + shares.test ? "test" : "train"
    );
    for (const [split, other] of [["valid", "test"], ["test", "valid"]] as const) {
      if (shares[split] === 0 || drawn.includes(split)) continue;
      const spare = split === "valid" ? 0 : drawn.indexOf(other) + 1; // a class of two photos has validation, and no test
      const free = drawn.includes("train") ? drawn.indexOf("train") : drawn.indexOf(other, spare);
      if (free >= 0) drawn[free] = split;
    }
    order.forEach(({ photo }, i) => splits.set(photo, drawn[i]!));
  }
  return photos.map((photo) => ({ ...photo, split: splits.get(photo)! }));
}

/** Photos of one class in the order of the hashes that `hashedSplit` goes by. */
export function byHash<P extends Named>(members: readonly P[], seed: number): P[] {
  return placed(members, seed).map(({ photo }) => photo);
}

function placed<P extends Named>(members: readonly P[], seed: number): { photo: P; at: number }[] {
  return members.map((photo) => ({ photo, at: placeOf(photo, seed) })).sort((a, b) =>
    a.at - b.at || (a.photo.file < b.photo.file ? -1 : 1)
  );
}

/** A number from 0 to under 1. A name is one, however its accents are composed. */
function placeOf({ class: name, file }: Named, seed: number): number {
  const text = [seed, name, file].map((part) => String(part).normalize("NFC")).join("\0");
  return createHash("sha256").update(text).digest().readUInt32BE() / 2 ** 32;
}

/**
 * The rule of runs that were started before splits were hashed: shuffles each class and gives its photos to the splits in these shares,
 * at least one photo to each split that gets any while the class has enough; a class's only photo is for training. The order of
 * `photos` is kept.
 */
export function shuffledSplit<P extends Named>(
  photos: readonly P[],
  seed: number,
  shares: Shares,
): (P & { split: SplitName })[] {
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
