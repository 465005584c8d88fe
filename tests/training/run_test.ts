import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ensureShapes } from "../../data/shapes.ts";
import { loadCheckpoint } from "../../model/checkpoint.ts";
import type { RunEvent } from "../../training/events.ts";
import { runOptions, TRAIN_COMMAND } from "../../training/flags.ts";
import { train } from "../../training/train.ts";
import { parseFlags } from "../../cli/args.ts";

const counts = { train: 48, valid: 8, test: 8 };

/** A small set of shapes and a place for runs, gone afterwards. */
async function withShapes(work: (dir: string, data: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await work(dir, await ensureShapes(join(dir, "shapes"), { seed: 3, counts }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function options(data: string, ...flags: string[]) {
  const small = [["--size", "64"], ["--batch-size", "8"]].filter(([name]) => !flags.includes(name!)).flat();
  return runOptions(parseFlags(["--data", data, ...small, ...flags], TRAIN_COMMAND));
}

function places(dir: string, name: string) {
  return { out: join(dir, name), cacheDir: join(dir, "cache"), workers: 2 };
}

Deno.test("a run writes its files, validates every epoch and tests the best checkpoint", () =>
  withShapes(async (dir, data) => {
    const events: RunEvent[] = [];
    const result = await train(options(data, "--epochs", "3"), places(dir, "a"), (e) => events.push(e));
    assertEquals(result?.n, 8);
    assertEquals(result?.confusion.flat().reduce((a, b) => a + b), 8);
    const files = [...Deno.readDirSync(join(dir, "a"))].map((f) => f.name).sort();
    assertEquals(files, ["best.safetensors", "config.json", "last.safetensors", "log.csv"]);
    const log = (await Deno.readTextFile(join(dir, "a", "log.csv"))).trim().split("\n");
    assertEquals(log.length, 4);
    assertEquals(log[3]!.split(",").slice(0, 2), ["3", "18"]);
    assertEquals(events.filter((e) => e.event === "epoch").length, 3);
    const end = events.at(-1)!;
    assert(end.event === "end" && end.split === "test" && !end.stopped);
    const { card } = await loadCheckpoint(join(dir, "a", "last.safetensors"));
    assertEquals(card.classes, ["circle", "square", "star", "triangle"]);
    assertEquals(card.training?.step, 18);
  }));

Deno.test("the same seed gives bitwise the same weights, another seed does not", () =>
  withShapes(async (dir, data) => {
    const bytes: Uint8Array[] = [];
    for (const [name, seed] of [["a", "5"], ["b", "5"], ["c", "6"]] as const) {
      const set = options(data, "--steps", "5", "--seed", seed, "--augment", "full");
      await train(set, places(dir, name), () => {});
      bytes.push(await Deno.readFile(join(dir, name, "last.safetensors")));
    }
    assertEquals(bytes[0], bytes[1]);
    assert(bytes[0]!.some((byte, i) => byte !== bytes[2]![i]));
  }));

for (const optimizer of ["sgd", "adam", "adamw", "rmsprop", "adagrad"]) {
  Deno.test(`${optimizer} with clipping lowers the loss on the same few photos`, () =>
    withShapes(async (dir, data) => {
      const losses: number[] = [];
      const lr = optimizer === "sgd" || optimizer === "adagrad" ? "0.01" : "0.001";
      const set = options(
        data,
        "--epochs",
        "12",
        "--optimizer",
        optimizer,
        "--lr",
        lr,
        "--augment",
        "off",
        "--clip-norm",
        "5",
      );
      await train(set, places(dir, "a"), (e) => {
        if (e.event === "epoch") losses.push(e.trainLoss);
      });
      assert(losses.at(-1)! < 0.9 * losses[0]!, `losses: ${losses}`);
    }));
}

Deno.test("an aborted run keeps its last weights and says that it was stopped", () =>
  withShapes(async (dir, data) => {
    const stop = new AbortController();
    const events: RunEvent[] = [];
    const result = await train(options(data, "--epochs", "50"), places(dir, "a"), (e) => {
      events.push(e);
      if (e.event === "epoch" && e.epoch === 2) stop.abort();
    }, stop.signal);
    assertEquals(result, undefined);
    const end = events.at(-1)!;
    if (end.event !== "end") throw new Error(`the last event is ${end.event}`);
    assertEquals([end.stopped, end.result], [true, undefined]);
    // Two epochs of six steps, and the step in progress when the third began.
    assertEquals((await loadCheckpoint(end.last)).card.training?.step, 13);
  }));

Deno.test("a diverging run stops with the step and the layer, with and without numeric checks", () =>
  withShapes(async (dir, data) => {
    const wild = ["--epochs", "5", "--lr", "1e30", "--warmup", "0"];
    const plain = await assertRejects(() => train(options(data, ...wild), places(dir, "a"), () => {}));
    assertStringIncludes((plain as Error).message, "first seen in features.");
    const checked = [...wild, "--check-numerics"];
    const error = await assertRejects(() => train(options(data, ...checked), places(dir, "b"), () => {}));
    assertMatch(
      (error as Error).message,
      /in step [23], forward pass, features\.\d gave \d+ values that are not finite/,
    );
  }));

Deno.test("training starts from another run's weights and leaves frozen blocks alone", () =>
  withShapes(async (dir, data) => {
    await train(options(data, "--steps", "3"), places(dir, "a"), () => {});
    const weights = join(dir, "a", "last.safetensors");
    const set = options(data, "--steps", "3", "--weights", weights, "--freeze", "features");
    await train(set, places(dir, "b"), () => {});
    const before = (await loadCheckpoint(weights)).tensors;
    const after = (await loadCheckpoint(join(dir, "b", "last.safetensors"))).tensors;
    assertEquals(after.get("features.0.weight"), before.get("features.0.weight"));
    assert(
      after.get("classifier.1.weight")!.data.some((v, i) => v !== before.get("classifier.1.weight")!.data[i]),
    );
  }));

Deno.test("what cannot be trained is refused in one sentence, before anything is written", () =>
  withShapes(async (dir, data) => {
    const refused = async (sentence: string, ...flags: string[]) => {
      const error = await assertRejects(() => train(options(data, ...flags), places(dir, "x"), () => {}));
      assertStringIncludes((error as Error).message, sentence);
      assertEquals(await Deno.stat(join(dir, "x")).catch(() => undefined), undefined);
    };
    await refused("Cannot find model lenet", "--model", "lenet");
    await refused("wanted at least 61x61", "--size", "40");
    await refused("at least one batch of 64", "--batch-size", "64");
    await refused("Cannot freeze tail", "--freeze", "tail");
  }));

Deno.test("a folder that holds a run is not written over", () =>
  withShapes(async (dir, data) => {
    await train(options(data, "--steps", "1"), places(dir, "a"), () => {});
    const error = await assertRejects(() => train(options(data, "--steps", "1"), places(dir, "a"), () => {}));
    assertStringIncludes((error as Error).message, "already holds one");
  }));
