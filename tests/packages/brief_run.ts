/**
 * A small trained model and photos to try it on.
 * @module
 */
import { join } from "@std/path";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { train } from "../../training/train.ts";
import { places, smallOptions } from "../training/small_run.ts";

const counts = { train: 96, valid: 30, test: 30 };

/** Trains `compact` at 96x96, where Grad-CAM has several cells, on drawn shapes for some steps; `best.safetensors` lies in `dir`, and the data set's folder is named. */
export async function trainBriefly(
  dir: string,
): Promise<{ readonly checkpoint: string; readonly data: string }> {
  const data = await ensureShapes(join(dir, "shapes"), { seed: 3, counts });
  const options = smallOptions(data, "--size", "96", "--steps", "60", "--batch-size", "16");
  const { out, ...rest } = places(dir, "run");
  await train(options, { out, ...rest }, () => {});
  const checkpoint = join(dir, "best.safetensors");
  await Deno.copyFile(join(out, "best.safetensors"), checkpoint);
  return { checkpoint, data };
}

/** The first test photos of the shapes, of every class. */
export async function someShapes(data: string, count: number): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name } of Deno.readDir(join(data, "test"))) {
    for await (const file of Deno.readDir(join(data, "test", name))) {
      paths.push(join(data, "test", name, file.name));
    }
  }
  const inClass = (path: string) => path.split(/[/\\]/).at(-1)!;
  return paths.sort((a, b) => inClass(a) < inClass(b) ? -1 : 1).slice(0, count);
}
