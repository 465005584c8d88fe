import { assert, assertAlmostEquals, assertEquals, assertNotEquals } from "@std/assert";
import { eraseBox, jitterColours } from "../../data/jitter.ts";

const none = { brightness: 0, contrast: 0, saturation: 0 };
const at = (index: number, epoch = 0) => ({ seed: 1, epoch, index });
const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
/** A matrix applied to a colour. */
const recolour = (rows: readonly number[], [r, g, b]: readonly [number, number, number]) =>
  [0, 4, 8].map((k) => rows[k]! * r + rows[k + 1]! * g + rows[k + 2]! * b + rows[k + 3]!);

Deno.test("colours that may not vary have no matrix, and others depend on seed, epoch and index alone", () => {
  assertEquals(jitterColours(at(3), none), undefined);
  const jitter = { ...none, brightness: 0.4 };
  assertEquals(jitterColours(at(3, 2), jitter), jitterColours(at(3, 2), jitter));
  assertNotEquals(jitterColours(at(3, 2), jitter), jitterColours(at(3, 3), jitter));
  assertNotEquals(jitterColours(at(3, 2), jitter), jitterColours(at(4, 2), jitter));
});

Deno.test("brightness is a factor on all values, drawn evenly", () => {
  const factors = Array.from({ length: 2000 }, (_, i) => {
    const [r, g, b] = recolour(jitterColours(at(i), { ...none, brightness: 0.4 })!, [100, 50, 200]);
    assertAlmostEquals(g!, r! / 2, 1e-9);
    assertAlmostEquals(b!, r! * 2, 1e-9);
    return r! / 100;
  });
  assert(Math.min(...factors) >= 0.6 && Math.max(...factors) < 1.4);
  assertAlmostEquals(mean(factors), 1, 0.02);
  assertAlmostEquals(mean(factors.map((f) => (f - 1) ** 2)), 0.8 ** 2 / 12, 0.005);
});

Deno.test("contrast leaves middle grey alone, and saturation every grey", () => {
  for (let i = 0; i < 50; i++) {
    const contrast = jitterColours(at(i), { ...none, contrast: 0.5 })!;
    for (const value of recolour(contrast, [127.5, 127.5, 127.5])) assertAlmostEquals(value, 127.5, 1e-9);
    const [low, , high] = recolour(contrast, [27.5, 127.5, 227.5]);
    assertAlmostEquals(127.5 - low!, high! - 127.5, 1e-9);
    assert(Math.abs(127.5 - low!) >= 50 && Math.abs(127.5 - low!) < 150);
    const saturation = jitterColours(at(i), { ...none, saturation: 1 })!;
    for (const value of recolour(saturation, [90, 90, 90])) assertAlmostEquals(value, 90, 1e-9);
    // The weighted grey of any colour stays, too.
    const grey = (colour: readonly number[]) => 0.299 * colour[0]! + 0.587 * colour[1]! + 0.114 * colour[2]!;
    assertAlmostEquals(grey(recolour(saturation, [10, 220, 40])), grey([10, 220, 40]), 1e-9);
  }
});

Deno.test("brightness comes before contrast and contrast before saturation", () => {
  const jitter = { brightness: 0.5, contrast: 0.5, saturation: 0.5 };
  const one = (k: keyof typeof jitter) => jitterColours(at(7), { ...none, [k]: 0.5 })!;
  let wanted: number[] = [30, 200, 90];
  for (const k of ["brightness", "contrast", "saturation"] as const) {
    wanted = recolour(one(k), wanted as [number, number, number]);
  }
  recolour(jitterColours(at(7), jitter)!, [30, 200, 90]).forEach((v, i) =>
    assertAlmostEquals(v, wanted[i]!, 1e-9)
  );
});

Deno.test("a box is erased as often as is asked for, within the input, 2 to 33 % of it at most a third as wide as high or the other way round", () => {
  const output = { width: 96, height: 64 };
  const boxes = Array.from({ length: 4000 }, (_, i) => eraseBox(at(i, 5), 0.25, output));
  const drawn = boxes.filter((box) => box !== undefined);
  assertAlmostEquals(drawn.length / boxes.length, 0.25, 0.03);
  const areas = drawn.map(({ x0, y0, x1, y1 }) => {
    assert(x0 >= 0 && y0 >= 0 && x1 <= 96 && y1 <= 64 && x1 > x0 && y1 > y0);
    return (x1 - x0) * (y1 - y0) / (96 * 64);
  });
  assert(Math.max(...areas) < 0.34 && Math.min(...areas) > 0.015);
  assertAlmostEquals(mean(areas), 0.17, 0.02);
  assertEquals(Math.min(...drawn.map(({ x0 }) => x0)), 0);
  assertEquals(Math.max(...drawn.map(({ y1 }) => y1)), 64);
  assertEquals(eraseBox(at(1), 0, output), undefined);
  assertNotEquals(eraseBox(at(1), 1, output), eraseBox(at(1, 1), 1, output));
});
