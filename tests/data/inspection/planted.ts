/**
 * Real photos among which copies, dark and blurred ones are planted, to count what an inspection finds of them.
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { openDataset } from "../../../data/dataset/folder.ts";
import { hashedSplit } from "../../../data/dataset/sampler.ts";
import { decodeImage } from "../../../data/image/decode.ts";
import type { DecodedImage } from "../../../data/image/image.ts";
import { shrink } from "../../../data/image/pixels.ts";
import { shuffle } from "../../../engine/random.ts";
import { encodeJpeg } from "../encoders.ts";
import { changed, mirrored } from "./scenes.ts";

/** What was planted, by paths in the folder. */
export interface Planted {
  /** A copy and the photo that it shows, each in a split of its own. */
  readonly copies: readonly (readonly [copy: string, original: string])[];
  readonly dark: readonly string[];
  readonly blurred: readonly string[];
}

/** The seed with which the folder's split is drawn. */
export const SPLIT_SEED = 1;

/**
 * Fills `dir` with links to `count` photos of `from`, as many of each class, of which three are darkened and three blurred instead, and with
 * ten copies that the program's own split puts on another side than their originals: compressed anew, made smaller, lighter or mirrored.
 */
export async function plant(
  from: string,
  dir: string,
  { count, seed }: { count: number; seed: number },
): Promise<Planted> {
  const all = Object.values((await openDataset(from, { seed })).splits).flat();
  const photos = [...Map.groupBy(all, ({ class: name }) => name).values()].flatMap((some) =>
    [...shuffle(some.length, seed, 0, 99)].slice(0, count / 3).map((i) => some[i]!)
  );
  const order = [...shuffle(photos.length, seed, 1, 99)].map((i) => photos[i]!);
  const planted = { copies: [] as [string, string][], dark: [] as string[], blurred: [] as string[] };
  const write = async (file: string, image: DecodedImage, quality: number) => {
    await Deno.writeFile(join(dir, file), await encodeJpeg(image, { quality }));
    return file;
  };
  for (const [i, { class: name, path }] of order.entries()) {
    const file = `${name}/${basename(path)}`;
    await Deno.mkdir(dirname(join(dir, file)), { recursive: true });
    const open = () => Deno.readFile(path).then((bytes) => decodeImage(bytes));
    if (i < 3) planted.dark.push(await write(file, scaled(await open(), 0.08 + 0.05 * i), 90));
    else if (i < 6) planted.blurred.push(await write(file, blurred(await open(), 1 + i - 3), 90));
    else await Deno.symlink(path, join(dir, file));
    if (i < 6 || i >= 16) continue;
    const kind = i % 5, image = await open(), side = Math.min(image.width, image.height);
    const copy = kind === 0
      ? image
      : kind === 1
      ? shrink(image, Math.floor(side / 2))
      : kind === 2
      ? scaled(image, 1.2)
      : kind === 3
      ? mirrored(image)
      : shrink(image, Math.floor(side * 0.8));
    const other = nameOnTheOtherSide(name, basename(path));
    planted.copies.push([await write(`${name}/${other}`, copy, [40, 85, 80, 85, 60][kind]!), file]);
  }
  return planted;
}

/** A file's name that the split draws for another side. */
function nameOnTheOtherSide(name: string, file: string): string {
  const splitOf = (file: string) => {
    // The last of a class is always for training, so there are others.
    const others = Array.from({ length: 50 }, (_, i) => ({ class: name, file: `other ${i}` }));
    const drawn = hashedSplit([{ class: name, file }, ...others], SPLIT_SEED, { valid: 0.1, test: 0.1 });
    return drawn[0]!.split;
  };
  for (let i = 0;; i++) {
    const other = `copy${i}_of_${file}`;
    if (splitOf(other) !== splitOf(file)) return other;
  }
}

const scaled = (image: DecodedImage, factor: number) =>
  changed(image, (i) => Math.round(image.data[i]! * factor));

/** Three boxes of this radius one after another, which are nearly a Gaussian of a standard deviation of 1.7 times that and more. */
function blurred(image: DecodedImage, radius: number): DecodedImage {
  const { width, height } = image, reach = radius + 1, size = 2 * reach + 1;
  const boxed = (source: DecodedImage, across: boolean) =>
    changed(source, (i) => {
      const pixel = i >> 2, x = pixel % width, y = (pixel - x) / width;
      let sum = 0;
      for (let d = -reach; d <= reach; d++) {
        const u = across ? Math.min(width - 1, Math.max(0, x + d)) : x;
        const v = across ? y : Math.min(height - 1, Math.max(0, y + d));
        sum += source.data[(v * width + u) * 4 + i % 4]!;
      }
      return Math.round(sum / size);
    });
  for (let round = 0; round < 3; round++) image = boxed(boxed(image, true), false);
  return image;
}
