import { assert, assertEquals } from "@std/assert";
import { drawShape } from "../../../data/shapes/shape_drawing.ts";
import type { DecodedImage } from "../../../data/image/image.ts";
import { shrink } from "../../../data/image/pixels.ts";
import { groupsOf, nearDuplicates, type SmallCopy } from "../../../data/inspection/near_duplicates.ts";
import { thumbnail, traitsOf } from "../../../data/inspection/traits.ts";
import { changed, mirrored, scene } from "./scenes.ts";

function copyOf({ width, height, data }: DecodedImage): SmallCopy {
  const channel = (offset: number) => thumbnail(data, { width, height, step: 4, offset }, 32);
  return { side: 32, channels: [channel(0), channel(1), channel(2)] };
}

function pairsOf(photos: readonly DecodedImage[], wanted?: (a: number, b: number) => boolean) {
  const hashes = photos.map((photo) => traitsOf(photo).hash);
  const copies = (i: number) => copyOf(photos[i]!);
  const { pairs, complete } = nearDuplicates({
    hashes,
    copyOf: copies,
    mostCandidates: 1000,
    ...wanted && { wanted },
  });
  assert(complete);
  return pairs;
}

Deno.test("a picture is found again smaller, darker, noisy and mirrored, and no other is taken for it", () => {
  const original = scene(1);
  const photos = [
    original,
    scene(2),
    shrink(original, 64),
    changed(original, (i) => original.data[i]! * 0.7),
    changed(original, (i) => original.data[i]! + (i * 7919 % 13) - 6),
    mirrored(original),
    scene(3),
  ];
  const pairs = pairsOf(photos);
  assertEquals(groupsOf(pairs), [[0, 2, 3, 4, 5]]);
  for (const { a, b, mirrored } of pairs) assertEquals(mirrored, a === 5 || b === 5);
});

Deno.test("pictures that are alike from afar only are told apart, and so are those of one colour", () => {
  // Shapes on plain ground: their hashes often lie close together.
  const shapes = Array.from({ length: 30 }, (_, i) => drawShape("circle", i, 1));
  assertEquals(pairsOf(shapes), []);
  const plain = [100, 101, 200].map((value) => changed(scene(1), () => value));
  assertEquals(pairsOf(plain), []);
});

Deno.test("only wanted pairs are compared, and no picture is read that looks like no other", () => {
  const photos = [scene(1), scene(1), scene(2), scene(1)], read: number[] = [];
  assertEquals(pairsOf(photos, (a, b) => a === 0 && b === 3), [{ a: 0, b: 3, mirrored: false }]);
  const hashes = photos.map((photo) => traitsOf(photo).hash);
  const copies = (i: number) => {
    read.push(i);
    return copyOf(photos[i]!);
  };
  assertEquals(nearDuplicates({ hashes, copyOf: copies, mostCandidates: 3 }).complete, true);
  assertEquals(read.toSorted(), [0, 1, 3]);
  const { pairs, complete } = nearDuplicates({ hashes, copyOf: copies, mostCandidates: 2 });
  assertEquals([pairs.length, complete], [2, false]);
});

Deno.test("pairs that share a photo make one group", () => {
  assertEquals(groupsOf([{ a: 4, b: 7 }, { a: 1, b: 2 }, { a: 2, b: 9 }, { a: 4, b: 5 }]), [[1, 2, 9], [
    4,
    5,
    7,
  ]]);
  assertEquals(groupsOf([]), []);
});

Deno.test("traits tell a dark photo from a light one and a blurred one from a sharp one; a tiny one is sharp for all they know", () => {
  const plain = scene(4), noisy = changed(plain, (i) => plain.data[i]! + ((i >> 2) * 7919 % 41) - 20);
  const blurred = changed(noisy, (i) => {
    const row = noisy.width * 4;
    let sum = 0, count = 0;
    for (let y = -3; y <= 3; y++) {
      for (let x = -3; x <= 3; x++) {
        const value = noisy.data[i + y * row + x * 4];
        if (value !== undefined) {
          sum += value;
          count++;
        }
      }
    }
    return sum / count;
  });
  assert(traitsOf(noisy).sharpness > 50 * traitsOf(blurred).sharpness);
  assert(traitsOf(scene(5)).light > 128);
  assertEquals(traitsOf(changed(scene(5), () => 17)).light, 17);
  assertEquals(traitsOf(scene(5, 6, 6)).sharpness, Infinity);
});
