/**
 * What is wrong with the photos of a data set: the same picture more than once, pictures that show little, files that cannot be read.
 * @module
 */
import type { Dataset, ListedPhoto } from "../dataset/folder.ts";
import type { PhotoStore } from "../dataset/photo_store.ts";
import type { SplitName } from "../dataset/listing.ts";
import { samePhotos } from "../dataset/shared_photos.ts";
import { nameBelow } from "../dataset/walk.ts";
import { type Fault, faultsOf } from "./faults.ts";
import { groupsOf, nearDuplicates, type SmallCopy } from "./near_duplicates.ts";
import { thumbnail } from "./traits.ts";

/** A photo as findings name it. */
export interface NamedPhoto {
  /** Its path in the data set's folder. */
  readonly file: string;
  /** Its class. */
  readonly class: string;
  /** What it is for. */
  readonly split: SplitName;
}

/** Photos of one picture. */
export interface Duplicates {
  /** Two or more, training photos first. */
  readonly photos: readonly NamedPhoto[];
  /** Whether their files are equal byte by byte. */
  readonly exact: boolean;
  /** Whether they are in more than one split, so that figures on the held-out ones flatter. */
  readonly acrossSplits: boolean;
  /** Whether their classes contradict each other. */
  readonly acrossClasses: boolean;
}

/** What is wrong with the photos of a data set. */
export interface Inspection {
  /** Photos that were decoded and looked at. */
  readonly photos: number;
  /** The same picture more than once: across splits first, then across classes. */
  readonly duplicates: readonly Duplicates[];
  /** Whether every photo was compared with every other; not where too many look alike from afar. */
  readonly complete: boolean;
  /** Photos that show little, by fault. */
  readonly faults: Readonly<Record<Fault, readonly NamedPhoto[]>>;
}

/** How photos are inspected. */
export interface InspectionOptions {
  /** Compare only where it misleads: photos of different splits, and those of different classes. */
  readonly misleadingOnly?: boolean;
}

/** Up to this many photos all pairs are compared, which takes 0.3 s; of more, before training, those of different splits. */
const COMPARED_ALL = 10_000;

/** Pairs that are looked at closely: 10 microseconds each, and one read of each photo. */
const CANDIDATES = { all: 50_000, misleading: 500 };

/** The side of the small copies that tell whether two photos show the same. */
const COPY_SIDE = 32;

/** Looks at the photos of a data set, which the store holds; those it lacks could not be decoded. */
export function inspectPhotos(
  { dir, splits }: Pick<Dataset, "dir" | "splits">,
  store: PhotoStore,
  { misleadingOnly = false }: InspectionOptions = {},
): Inspection {
  const places = new Map(store.entries.map(({ path }, i) => [path, i]));
  const listed = (["train", "valid", "test"] as const).flatMap((split) =>
    splits[split].flatMap((photo) => {
      const place = places.get(photo.path);
      return place === undefined ? [] : [{ photo, split, place, entry: store.entries[place]! }];
    })
  );
  const named = (index: number): NamedPhoto => {
    const { photo, split } = listed[index]!;
    return { file: nameBelow(dir, photo.path).replaceAll("\\", "/"), class: photo.class, split };
  };
  const splitOf = (index: number) => listed[index]!.split;
  const label = (index: number) => listed[index]!.photo.label;
  const indices = new Map(listed.map(({ photo }, i) => [photo, i]));
  const exact = samePhotos(listed.map(({ photo }) => photo))
    .map((group) => group.map((photo: ListedPhoto) => indices.get(photo)!));
  const same = new Map(exact.flatMap((group, k) => group.map((index) => [index, k] as const)));
  const misleads = (a: number, b: number) =>
    splitOf(a) !== splitOf(b) || listed.length <= COMPARED_ALL && label(a) !== label(b);
  const { pairs: near, complete } = nearDuplicates({
    hashes: listed.map(({ entry }) => entry.traits?.hash ?? "0".repeat(16)),
    mostCandidates: misleadingOnly ? CANDIDATES.misleading : CANDIDATES.all,
    copyOf: (index) => copyOf(store, listed[index]!.place),
    wanted: (a, b) => !(same.has(a) && same.get(a) === same.get(b)) && (!misleadingOnly || misleads(a, b)),
  });
  const group = (members: readonly number[], isExact: boolean): Duplicates => ({
    photos: members.map(named),
    exact: isExact,
    acrossSplits: new Set(members.map(splitOf)).size > 1,
    acrossClasses: new Set(members.map(label)).size > 1,
  });
  const worth = ({ acrossSplits, acrossClasses }: Duplicates) =>
    (acrossSplits ? 2 : 0) + (acrossClasses ? 1 : 0);
  const duplicates = [
    ...exact.map((members) => group(members, true)),
    ...groupsOf(near).map((members) => group(members, false)),
  ].sort((a, b) => worth(b) - worth(a));
  const faults: Record<Fault, NamedPhoto[]> = { dark: [], blurred: [], tiny: [], odd: [] };
  for (const { index, fault } of faultsOf(listed.map(({ entry }) => entry))) faults[fault].push(named(index));
  return { photos: listed.length, duplicates, complete, faults };
}

function copyOf(store: PhotoStore, place: number): SmallCopy {
  const { width, height } = store.entries[place]!, data = new Uint8Array(width * height * 4);
  store.readInto(place, data);
  const channel = (offset: number) => thumbnail(data, { width, height, step: 4, offset }, COPY_SIDE);
  return { side: COPY_SIDE, channels: [channel(0), channel(1), channel(2)] };
}
