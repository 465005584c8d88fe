/**
 * Photos that show the same picture though their files differ: scaled, compressed anew, lighter or darker, mirrored.
 *
 * Two steps. Perceptual hashes that lie close together are candidates; whether they are one picture is seen in small copies of the two.
 * Measured on 2,700 photos of animals. Copies of 60 that were compressed to quality 30, halved, or made a third lighter or darker, and of
 * 110 at two fifths of their size and quality 40: their hashes differ in 8 of 64 bits at most, edges correlate by 0.9 or more (three copies
 * excepted, of birds before an empty sky), colours by 0.8 or more (of one excepted, darkened). Of 3.6 million pairs nine differ in 10
 * bits or fewer; one of them is the same picture, and of 222 that differ in 14 or fewer no other's edges correlate by more than 0.4. Of
 * 2,000 drawn shapes on plain ground, which are alike from afar, 4,374 pairs are candidates, and one in 500 of them has such edges. A copy
 * that was cropped by more than a few hundredths is not found.
 * @module
 */

/** Bits of the hashes in which candidates may differ. */
const MOST_BITS = 10;

/** How much the edges of one picture correlate, and how much its colours. */
const LEAST_EDGES = 0.9, LEAST_COLOURS = 0.8;

/** What turns a hash into that of the mirrored picture: every second frequency across has the other sign. */
const MIRROR = 0x55555555;

/** Two photos by their places in the list. */
export interface Pair {
  readonly a: number;
  /** More than `a`. */
  readonly b: number;
  /** One shows the other as a mirror does. */
  readonly mirrored: boolean;
}

/** A small copy: red, green and blue, each `side` rows of `side` means, 0 to 255. */
export interface SmallCopy {
  readonly side: number;
  readonly channels: readonly [Float64Array, Float64Array, Float64Array];
}

/** What is compared. */
export interface Compared {
  /** By photo, as `PhotoTraits` has them. */
  readonly hashes: readonly string[];
  /** The small copy of a photo, asked for once at most, and only of candidates. */
  readonly copyOf: (index: number) => SmallCopy;
  /** Whether a pair is of interest; default: every one. */
  readonly wanted?: (a: number, b: number) => boolean;
  /** After so many candidates it is enough: they are photos that all look alike from afar. */
  readonly mostCandidates: number;
}

/**
 * The pairs that show one picture, and whether that is all of them, as it is unless there were too many candidates. Takes some
 * nanoseconds for each pair of photos: 0.3 s for 10,000.
 */
export function nearDuplicates(
  { hashes, copyOf, wanted = () => true, mostCandidates }: Compared,
): { pairs: Pair[]; complete: boolean } {
  const n = hashes.length, high = new Int32Array(n), low = new Int32Array(n);
  hashes.forEach((hash, i) => [high[i], low[i]] = wordsOf(hash));
  const looks = new Map<number, Looks>();
  const look = (i: number) => {
    let found = looks.get(i);
    if (found === undefined) looks.set(i, found = looksOf(copyOf(i)));
    return found;
  };
  const pairs: Pair[] = [];
  let candidates = 0;
  for (let a = 0; a < n; a++) {
    const h = high[a]!, l = low[a]!;
    for (let b = a + 1; b < n; b++) {
      const plain = bitsOf(h ^ high[b]!) + bitsOf(l ^ low[b]!);
      const mirrored = bitsOf(h ^ MIRROR ^ high[b]!) + bitsOf(l ^ MIRROR ^ low[b]!);
      if (plain > MOST_BITS && mirrored > MOST_BITS || !wanted(a, b)) continue;
      if (++candidates > mostCandidates) return { pairs, complete: false };
      const same = (way: "plain" | "mirrored") =>
        correlation(look(a)[way].edges, look(b).plain.edges) >= LEAST_EDGES &&
        correlation(look(a)[way].colours, look(b).plain.colours) >= LEAST_COLOURS;
      if (plain <= MOST_BITS && same("plain")) pairs.push({ a, b, mirrored: false });
      else if (mirrored <= MOST_BITS && same("mirrored")) pairs.push({ a, b, mirrored: true });
    }
  }
  return { pairs, complete: true };
}

/** Groups of photos that pairs connect. */
export function groupsOf(pairs: readonly { readonly a: number; readonly b: number }[]): number[][] {
  const parents = new Map<number, number>();
  const rootOf = (i: number): number => {
    let root = i;
    while (parents.has(root)) root = parents.get(root)!;
    return root;
  };
  for (const { a, b } of pairs) {
    const [first, second] = [rootOf(a), rootOf(b)];
    if (first !== second) parents.set(Math.max(first, second), Math.min(first, second));
  }
  const members = [...new Set(pairs.flatMap(({ a, b }) => [a, b]))].sort((a, b) => a - b);
  return [...Map.groupBy(members, rootOf).values()];
}

function wordsOf(hash: string): [number, number] {
  return [parseInt(hash.slice(0, 8), 16) | 0, parseInt(hash.slice(8), 16) | 0];
}

/** How many bits are set. */
function bitsOf(word: number): number {
  word -= word >>> 1 & 0x55555555;
  word = (word & 0x33333333) + (word >>> 2 & 0x33333333);
  return Math.imul(word + (word >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** What is compared of a picture, less its mean. */
interface Look {
  readonly edges: Float64Array;
  readonly colours: Float64Array;
}

type Looks = Readonly<Record<"plain" | "mirrored", Look>>;

function looksOf({ side, channels }: SmallCopy): Looks {
  const lookOf = (place: (i: number) => number): Look => {
    const [red, green, blue] = channels.map((channel) => channel.map((_, i) => channel[place(i)]!)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const n = red.length, colours = new Float64Array(3 * n);
    [red, green, blue].forEach((channel, c) => colours.set(channel, c * n));
    let sum = 0;
    for (let i = 0; i < 3 * n; i++) sum += colours[i]!;
    for (let i = 0; i < 3 * n; i++) colours[i]! -= sum / (3 * n);
    const grey = red.map((value, i) => 0.299 * value + 0.587 * green[i]! + 0.114 * blue[i]!);
    return { edges: edgesOf(grey, side), colours };
  };
  let mirrored: Look | undefined;
  return {
    plain: lookOf((i) => i),
    get mirrored() {
      return mirrored ??= lookOf((i) => i - i % side + side - 1 - i % side);
    },
  };
}

/** The differences between neighbours, across and down. */
function edgesOf(grey: Float64Array, side: number): Float64Array {
  const edges = new Float64Array(2 * side * side);
  for (let i = 0; i < side * side; i++) {
    if ((i + 1) % side > 0) edges[2 * i] = grey[i + 1]! - grey[i]!;
    if (i + side < side * side) edges[2 * i + 1] = grey[i + side]! - grey[i]!;
  }
  return edges;
}

/** Of vectors whose means are 0; 0 where either is as good as nothing, which says nothing of what it shows. */
function correlation(x: Float64Array, y: Float64Array): number {
  let xy = 0, xx = 0, yy = 0;
  for (let i = 0; i < x.length; i++) {
    xy += x[i]! * y[i]!;
    xx += x[i]! * x[i]!;
    yy += y[i]! * y[i]!;
  }
  return Math.min(xx, yy) < x.length ? 0 : xy / Math.sqrt(xx * yy);
}
