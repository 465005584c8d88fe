import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { augmentMap, VARIATIONS } from "../../data/augment.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { viewedIn } from "../../training/step/batch_input.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const read = (dir: string, name: string, file = "last.safetensors") => Deno.readFile(join(dir, name, file));
const shapes = ["circle", "square", "star", "triangle"];

/** The training photos of drawn shapes with a probability of `sure` for their own class. */
async function table(dir: string, data: string, sure: (index: number) => number): Promise<string> {
  const rows = [`file,${shapes.join(",")}`];
  for (const name of shapes) {
    const files = [...Deno.readDirSync(join(data, "train", name))].map((entry) => entry.name).sort();
    files.forEach((file, i) => {
      const share = sure(i), other = (1 - share) / (shapes.length - 1);
      rows.push(`train/${name}/${file},${shapes.map((c) => c === name ? share : other).join(",")}`);
    });
  }
  const path = join(dir, `soft ${rows.length} ${sure(0)} ${sure(1)}.csv`);
  await Deno.writeTextFile(path, rows.join("\n") + "\n");
  return path;
}

/** Events of a run. */
async function told(work: (report: (event: RunEvent) => void) => Promise<unknown>): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  await work((event) => events.push(event));
  return events;
}

const notes = (events: readonly RunEvent[]) => events.flatMap((e) => e.event === "note" ? [e.text] : []);

for (const flags of [[], ["--mixup", "1", "--mix-prob", "0.7"], ["--class-weights", "balanced"]]) {
  test(`soft labels without doubt give bitwise the run without them: ${flags.join(" ") || "plain"}`, () =>
    withShapes(async (dir, data) => {
      const plain = smallOptions(data, "--epochs", "1", ...flags);
      const certain = { ...plain, softLabels: await table(dir, data, () => 1) };
      await train(plain, places(dir, "plain"), () => {});
      const events = await told((report) => train(certain, places(dir, "certain"), report));
      assertEquals(await read(dir, "certain"), await read(dir, "plain"));
      assert(notes(events).some((text) => text.startsWith("Labels    of 48 training photos")));
    }));
}

test("soft labels are learnt, and the loss is told as cross-entropy, KL divergence and the targets' entropy", () =>
  withShapes(async (dir, data) => {
    const softLabels = await table(dir, data, (i) => i % 2 === 0 ? 0.8 : 1);
    const options = { ...smallOptions(data, "--epochs", "2"), softLabels };
    const events = await told((report) => train(options, places(dir, "soft"), report));
    const epoch = events.find((e) => e.event === "epoch")!;
    const { crossEntropy, divergence, entropy } = epoch.targets!;
    // Half of the photos are 0.8 of their class, the others certain.
    const expected = -(0.8 * Math.log(0.8) + 0.2 * Math.log(0.2 / 3)) / 2;
    assertAlmostEquals(entropy, expected, 1e-5);
    assertAlmostEquals(crossEntropy, divergence + entropy, 1e-5);
    assertAlmostEquals(crossEntropy, epoch.trainLoss, 1e-5);
    const [header, row] = (await Deno.readTextFile(join(dir, "soft", "log.csv"))).split("\n");
    assertStringIncludes(header!, ",target_cross_entropy,target_divergence,target_entropy,");
    assertEquals(Number(row!.split(",").at(-2)), entropy);
  }));

test("a distilled run that is stopped goes on bitwise, with the labels that it began with", () =>
  withShapes(async (dir, data) => {
    await train(smallOptions(data, "--epochs", "1"), places(dir, "teacher"), () => {});
    const softLabels = await table(dir, data, (i) => i % 3 === 0 ? 0.7 : 0.9);
    const distill = join(dir, "teacher", "best.safetensors");
    // On inputs of another size than the teacher's, which sees the same crops, boxes and mixtures.
    const options = {
      ...smallOptions(data, "--epochs", "2", "--size", "72", "--model", "compact-bn", "--mixup", "0.5"),
      ...{ softLabels, distill, cutmix: 1, randomErase: 0.5, ema: 0.9, accumulate: 2 },
    };
    await train(options, places(dir, "whole"), () => {});
    const stop = new AbortController();
    const halt = (e: RunEvent) => e.event === "step" && e.step >= 2 && stop.abort();
    await train(options, { ...places(dir, "parts"), saveEvery: 1 }, halt, stop.signal);
    await Deno.writeTextFile(softLabels, "file,no,longer,what,it,was\n");
    await resumeTraining(join(dir, "parts"), {}, places(dir, "parts"), () => {});
    for (const file of ["last.safetensors", "best.safetensors"]) {
      assertEquals(await read(dir, "parts", file), await read(dir, "whole", file), file);
    }
    await Deno.copyFile(join(dir, "whole", "best.safetensors"), distill);
    const longer = () => resumeTraining(join(dir, "parts"), { epochs: 3 }, places(dir, "parts"), () => {});
    await assertRejects(longer, Error, "the file was changed since the run began");
  }));

test("a teacher of other classes is refused, and its own training photos among the held-out ones are told", () =>
  withShapes(async (dir, data) => {
    await train(smallOptions(data, "--epochs", "1"), places(dir, "teacher"), () => {});
    const distill = join(dir, "teacher", "best.safetensors");
    const turned = {
      ...smallOptions(data, "--epochs", "1", "--classes", "square,circle,star,triangle"),
      distill,
    };
    await assertRejects(
      () => train(turned, places(dir, "turned"), () => {}),
      Error,
      "its classes are circle, square, star, triangle, the run's square, circle, star, triangle; --classes gives",
    );
    // The same photos, split anew: some that the teacher had learnt are held out now.
    const all = join(dir, "all");
    for (const split of ["train", "valid", "test"]) {
      for (const name of shapes) {
        await Deno.mkdir(join(all, name), { recursive: true });
        for (const { name: file } of Deno.readDirSync(join(data, split, name))) {
          await Deno.copyFile(join(data, split, name, file), join(all, name, `${split}_${file}`));
        }
      }
    }
    const mixed = { ...smallOptions(all, "--epochs", "1"), distill };
    const events = await told((report) => train(mixed, places(dir, "mixed"), report));
    assert(
      notes(events).some((text) => text.includes("trained on by the teacher")),
      notes(events).join("\n"),
    );
    assert(notes(events).some((text) => text.startsWith("Teacher   compact at 64x64, ")));
  }));

Deno.test("a view of a photo in an input of another size is the view that would have been drawn for it", () => {
  const source = { width: 300, height: 200 },
    from = { width: 64, height: 64 },
    to = { width: 96, height: 128 };
  const drawn = { seed: 3, epoch: 2, index: 5, source, resize: "stretch" as const, vary: VARIATIONS.full };
  const photo = { ...source, data: new Uint8Array(), map: augmentMap({ ...drawn, output: from }) };
  const seen = viewedIn({ ...photo, erase: { x0: 8, y0: 16, x1: 32, y1: 64 } }, from, to);
  augmentMap({ ...drawn, output: to }).forEach((value, k) => assertAlmostEquals(seen.map[k]!, value, 1e-9));
  assertEquals(seen.erase, { x0: 12, y0: 32, x1: 48, y1: 128 });
  assertEquals(viewedIn(photo, from, to).erase, undefined);
});
