import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { type Affine, augmentMap, evaluationMap, variationOf, VARIATIONS } from "../../data/augment.ts";

const output = { width: 224, height: 224 };
const photo = { width: 340, height: 256 };
const apply = ([a, b, c, d, e, f]: Affine, x: number, y: number) =>
  [a * x + b * y + c, d * x + e * y + f] as const;
const full = (index: number, epoch = 0) =>
  augmentMap({ seed: 1, epoch, index, vary: VARIATIONS.full, source: photo, output, resize: "stretch" });

function assertClose(actual: readonly number[], expected: readonly number[]) {
  actual.forEach((value, i) => assertAlmostEquals(value, expected[i]!, 1e-9, `${actual} is not ${expected}`));
}

Deno.test("a photo of the output's size is shown as it is", () => {
  assertClose(evaluationMap(output, output, "stretch"), [1, 0, 0, 0, 1, 0]);
});

Deno.test("stretching maps corner to corner and ignores the aspect ratio", () => {
  const map = evaluationMap(photo, output, "stretch");
  assertClose(apply(map, 0, 0), [0, 0]);
  assertClose(apply(map, 224, 224), [340, 256]);
  assertClose(apply(map, 0.5, 0.5), [340 / 448, 256 / 448]);
});

Deno.test("cropping takes the centre 87.5 % of the shorter side and keeps the aspect ratio", () => {
  const map = evaluationMap(photo, output, "crop");
  assertClose(map, [1, 0, 58, 0, 1, 16]);
  const upright = evaluationMap({ width: 256, height: 512 }, { width: 112, height: 112 }, "crop");
  assertClose(upright, [2, 0, 16, 0, 2, 144]);
  const wide = evaluationMap({ width: 400, height: 400 }, { width: 200, height: 100 }, "crop");
  assertClose(apply(wide, 0, 0), [25, 112.5]);
  assertClose(apply(wide, 200, 100), [375, 287.5]);
});

Deno.test("level off is the evaluation map whatever the seed", () => {
  for (const resize of ["stretch", "crop"] as const) {
    const map = augmentMap({
      seed: 9,
      epoch: 4,
      index: 2,
      vary: VARIATIONS.off,
      source: photo,
      output,
      resize,
    });
    assertEquals(map, evaluationMap(photo, output, resize));
  }
});

Deno.test("a map depends on seed, epoch and index alone", () => {
  assertEquals(full(5, 2), full(5, 2));
  assertNotEquals(full(5, 2), full(5, 3));
  assertNotEquals(full(5, 2), full(6, 2));
});

/** Reads a map back: mirrored axes, shown part of each side, angle in degrees. */
function read(map: Affine, source = photo) {
  const [a, b, , d, e] = map;
  const flipY = Math.abs(e) > 1e-9 ? e < 0 : b > 0;
  const flipX = a < 0; // angles stay below 90 degrees
  return {
    flipX,
    flipY,
    width: Math.hypot(a, d) * output.width / source.width,
    height: Math.hypot(b, e) * output.height / source.height,
    angle: Math.atan2(flipX ? -d : d, Math.abs(a)) * 180 / Math.PI,
  };
}

Deno.test("mirroring left and right maps the left edge to the right one", () => {
  const maps = Array.from({ length: 100 }, (_, i) => full(i));
  const pure = maps.find((map) => {
    const view = read(map);
    return view.flipX && !view.flipY && view.angle === 0 && view.width > 0.999;
  });
  assert(pure, "one in a hundred photos is only mirrored");
  assertClose(apply(pure!, 0, 0), [340, 0]);
  assertClose(apply(pure!, 224, 224), [0, 256]);
});

Deno.test("full augmentation turns each kind on with its probability and stays in its range", () => {
  const count = 4000;
  const views = Array.from({ length: count }, (_, i) => read(full(i)));
  const share = (is: (view: ReturnType<typeof read>) => boolean) => views.filter(is).length / count;
  assertAlmostEquals(share((v) => v.flipX), 0.5, 0.03);
  assertAlmostEquals(share((v) => v.flipY), 0.2, 0.03);
  assertAlmostEquals(share((v) => v.width < 0.999), VARIATIONS.full.crop.probability, 0.03);
  assertAlmostEquals(share((v) => v.angle !== 0), VARIATIONS.full.rotation.probability, 0.03);
  assertAlmostEquals(share((v) => v.angle > 0), VARIATIONS.full.rotation.probability / 2, 0.03);
  for (const view of views) {
    assertAlmostEquals(view.width, view.height, 1e-9);
    if (view.width < 0.999) assert(view.width >= 0.7 && view.width <= 0.95);
    if (view.angle !== 0) {
      assert(Math.abs(view.angle) >= 15 && Math.abs(view.angle) <= 75, `${view.angle} degrees`);
    }
  }
});

Deno.test("flips, crops and rotations are chosen independently", () => {
  const views = Array.from({ length: 4000 }, (_, i) => read(full(i)));
  const both = views.filter((v) => v.flipX && v.width < 0.999 && v.angle !== 0).length / views.length;
  assertAlmostEquals(both, 0.5 * 0.5 * 0.3, 0.02);
});

Deno.test("an unrotated crop lies inside the photo and reaches all of it", () => {
  for (const resize of ["stretch", "crop"] as const) {
    let left = Infinity, right = -Infinity;
    for (let index = 0; index < 500; index++) {
      const map = augmentMap({
        seed: 2,
        epoch: 0,
        index,
        vary: VARIATIONS.light,
        source: photo,
        output,
        resize,
      });
      assertClose([map[1], map[3]], [0, 0]);
      for (const [x, y] of [apply(map, 0, 0), apply(map, 224, 224)]) {
        assert(x > -1e-9 && x < 340 + 1e-9 && y > -1e-9 && y < 256 + 1e-9);
        left = Math.min(left, x);
        right = Math.max(right, x);
      }
      assert(map[4] > 0, "light never turns a photo upside down");
      if (resize === "crop") assertAlmostEquals(Math.abs(map[0]), map[4], 1e-9);
    }
    assert(left < 2 && right > 338);
  }
});

Deno.test("a rotation turns about the middle of what is shown and shears nothing", () => {
  const rotated = Array.from({ length: 200 }, (_, i) => full(i)).filter((m) => read(m).angle !== 0);
  for (const map of rotated) {
    assertAlmostEquals(map[0] * map[1] + map[3] * map[4], 0, 1e-9);
    if (read(map).width > 0.999) assertClose(apply(map, 112, 112), [170, 128]);
  }
});

Deno.test("resized crops show a part of the area in their range, at an aspect ratio in theirs, inside the photo", () => {
  const vary = variationOf({ augment: "light", cropScale: [0.25, 0.6], cropRatio: [0.5, 1.5], hflip: 0 });
  for (const resize of ["stretch", "crop"] as const) {
    const areas: number[] = [], ratios: number[] = [];
    const whole = resize === "stretch" ? photo : { width: 256, height: 256 };
    for (let index = 0; index < 2000; index++) {
      const map = augmentMap({ seed: 2, epoch: 0, index, vary, source: photo, output, resize });
      const width = map[0] * output.width, height = map[4] * output.height;
      assert(map[0] > 0 && map[4] > 0 && map[1] === 0 && map[3] === 0);
      for (const [x, y] of [apply(map, 0, 0), apply(map, 224, 224)]) {
        assert(x > -1e-9 && x < 340 + 1e-9 && y > -1e-9 && y < 256 + 1e-9);
      }
      areas.push(width * height / (whole.width * whole.height));
      ratios.push(width / height / (whole.width / whole.height));
    }
    // What would leave the photo is cut: a crop of more than its height is less of the area, and wider than asked for.
    assert(Math.max(...areas) < 0.6 + 1e-9 && Math.max(...areas) > 0.59);
    assertEquals(ratios.every((ratio) => ratio > 0.5 - 1e-9), true);
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    assertAlmostEquals(mean(areas), 0.425, 0.01);
    assertAlmostEquals(mean(ratios.map(Math.log)), (Math.log(0.5) + Math.log(1.5)) / 2, 0.03);
  }
});

Deno.test("options replace what the level says, and nothing else", () => {
  assertEquals(variationOf({ augment: "light" }), VARIATIONS.light);
  const { crop, rotation, ...other } = variationOf({
    augment: "full",
    hflip: 0,
    brightness: 0.3,
    randomErase: 0.2,
  });
  assertEquals([crop, rotation], [VARIATIONS.full.crop, VARIATIONS.full.rotation]);
  assertEquals(other, {
    ...{ flipHorizontal: 0, flipVertical: 0.2, erase: 0.2 },
    colours: { brightness: 0.3, contrast: 0, saturation: 0 },
  });
});
