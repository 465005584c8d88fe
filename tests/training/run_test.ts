import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { FileWriteError } from "../../model/checkpoint/files.ts";
import { loadCheckpoint, loadTensors } from "../../model/checkpoint/checkpoint.ts";
import { checkpointAt } from "../../model/checkpoint/runs.ts";
import { balancedWeights } from "../../training/photos/photos.ts";
import { OPTIMIZER_DEFAULTS } from "../../training/step/optimizer.ts";
import { lockRun, LOG_COLUMNS, type LogRow, RunFolder } from "../../training/run/run_folder.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { settle } from "../../training/options/settle.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

test("a run writes its files, validates every epoch and tests the best checkpoint", () =>
  withShapes(async (dir, data) => {
    const events: RunEvent[] = [];
    const result = await train(smallOptions(data, "--epochs", "3"), places(dir, "a"), (e) => events.push(e));
    assertEquals(result?.n, 8);
    assertEquals(result?.confusion.flat().reduce((a, b) => a + b), 8);
    const files = [...Deno.readDirSync(join(dir, "a"))].map((f) => f.name).sort();
    assertEquals(files, [
      ...["best.safetensors", "config.json", "last.safetensors", "last.state.safetensors", "log.csv"],
      ...["photos.json", "run.lock"],
    ]);
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

test("an epoch whose only step compiled the kernels has no rate, neither told nor logged", () =>
  withShapes(async (dir, data) => {
    const rates: unknown[] = [];
    await train(smallOptions(data, "--epochs", "2", "--batch-size", "48"), places(dir, "a"), (e) => {
      if (e.event === "step") rates.push(e.imagesPerSecond === null, e.secondsLeft);
      if (e.event === "epoch") rates.push(e.imagesPerSecond === null);
    });
    assertEquals(rates, [true, null, true, false, 0, false]);
    const log = await Deno.readTextFile(join(dir, "a", "log.csv"));
    assertEquals(log.trim().split("\n").slice(1).map((row) => row.endsWith(",")), [true, false]);
  }));

test("an epoch trains on every photo, and checkpoints say with which values", () =>
  withShapes(async (dir, data) => {
    const events: RunEvent[] = [];
    const set = smallOptions(data, "--epochs", "2", "--batch-size", "20", "--optimizer", "adamw");
    await train(set, places(dir, "a"), (e) => events.push(e));
    const start = events.find((e) => e.event === "start")!;
    assertEquals([start.steps, start.chosen.map(({ option }) => option)], [6, [
      "lr",
      "weightDecay",
      "warmup",
    ]]);
    const { metadata } = await loadTensors(join(dir, "a", "last.state.safetensors"));
    assertEquals(JSON.parse(metadata.progress!).step, 6);
    const { training } = (await loadCheckpoint(join(dir, "a", "last.safetensors"))).card;
    const { optimizer, lr, weightDecay, warmup, batchSize } = training!;
    const own = OPTIMIZER_DEFAULTS.adamw;
    assertEquals({ optimizer, lr, weightDecay, warmup, batchSize }, {
      ...{ optimizer: "adamw", ...own, warmup: 0, batchSize: 20 },
    });
  }));

test("the same seed gives bitwise the same weights, another seed does not", () =>
  withShapes(async (dir, data) => {
    const bytes: Uint8Array[] = [];
    for (const [name, seed] of [["a", "5"], ["b", "5"], ["c", "6"]] as const) {
      const set = smallOptions(data, "--steps", "5", "--seed", seed, "--augment", "full");
      await train(set, places(dir, name), () => {});
      bytes.push(await Deno.readFile(join(dir, name, "last.safetensors")));
    }
    assertEquals(bytes[0], bytes[1]);
    assert(bytes[0]!.some((byte, i) => byte !== bytes[2]![i]));
  }));

test("each option of an optimiser reaches its kernel: another value gives other weights", () =>
  withShapes(async (dir, data) => {
    const weights = async (name: string, ...flags: string[]) => {
      await train(smallOptions(data, "--steps", "3", "--seed", "5", ...flags), places(dir, name), () => {});
      return `${await Deno.readFile(join(dir, name, "last.safetensors"))}`;
    };
    const adam = await weights("adam", "--optimizer", "adam");
    // The defaults, given by name, change nothing.
    const named = await weights("named", "--optimizer", "adam", "--betas", "0.9,0.999", "--eps", "1e-8");
    assert(named === adam, "the defaults are torch.optim's");
    assert(await weights("beta1", "--optimizer", "adam", "--betas", "0.5,0.999") !== adam, "first beta");
    assert(await weights("beta2", "--optimizer", "adam", "--betas", "0.9,0.9") !== adam, "second beta");
    assert(await weights("eps", "--optimizer", "adam", "--eps", "0.1") !== adam, "eps");
    const rmsprop = await weights("rmsprop", "--optimizer", "rmsprop");
    assert(await weights("alpha", "--optimizer", "rmsprop", "--alpha", "0.5") !== rmsprop, "alpha");
    assert(await weights("momentum", "--optimizer", "rmsprop", "--momentum", "0.5") !== rmsprop, "momentum");
  }));

test("a run without validation photos says that it cannot wait for a better validation", () =>
  withShapes(async (dir, data) => {
    const all = join(data, "train");
    const rows = [...Deno.readDirSync(all)].flatMap(({ name }) =>
      [...Deno.readDirSync(join(all, name))].map((photo) => `train\t${name}\t${photo.name}\n`)
    );
    await Deno.writeTextFile(join(all, "SPLIT.tsv"), `split\tclass\tfile\n${rows.join("")}`);
    const notes: string[] = [];
    await train(smallOptions(all, "--steps", "1", "--patience", "3"), places(dir, "a"), (e) => {
      if (e.event === "note") notes.push(e.text);
    });
    const warned = (text: string) =>
      text.startsWith("Warning   there are no validation photos that --patience");
    assertEquals(notes.filter(warned).length, 1);
  }));

test("inputs grow after the share of epochs that they are told", () =>
  withShapes(async (dir, data) => {
    const flags = [
      "--model",
      "compact-res",
      "--start-size",
      "32",
      "--start-share",
      "0.5",
      "--batch-size",
      "48",
    ];
    const notes: string[] = [];
    await train(smallOptions(data, "--epochs", "2", ...flags), places(dir, "a"), (e) => {
      if (e.event === "note") notes.push(e.text);
    });
    const resized = notes.filter((text) => text.startsWith("Resized"));
    assertEquals(resized, ["Resized   training inputs from 32x32 to 64x64, from epoch 2 on"]);
    const { card } = await loadCheckpoint(join(dir, "a", "last.safetensors"));
    assertEquals([card.preprocess.width, card.preprocess.height], [64, 64]);
  }));

test("each ingredient of a recipe reaches the training: another value gives other weights", () =>
  withShapes(async (dir, data) => {
    const usual = ["--steps", "3", "--seed", "5", "--schedule", "one-cycle", "--weight-decay", "0.05"];
    const weights = async (name: string, ...flags: string[]) => {
      await train(smallOptions(data, ...usual, ...flags), places(dir, name), () => {});
      const { tensors } = await loadTensors(join(dir, name, "last.safetensors"));
      return JSON.stringify([...tensors].map(([name, { data }]) => [name, ...data]));
    };
    const plain = await weights("plain");
    const none = ["--mixup", "0", "--brightness", "0", "--random-erase", "0", "--weight-decay-on", "all"];
    assertEquals(await weights("none", ...none, "--sampling", "shuffled", "--hflip", "0.5"), plain);
    for (
      const flags of [
        ...[["--mixup", "0.4", "--mix-prob", "1"], ["--cutmix", "1", "--mix-prob", "1"], ["--hflip", "0"]],
        ...[["--crop-scale", "0.25,1"], ["--crop-scale", "0.25,1", "--crop-ratio", "1,1"]],
        ...[["--brightness", "0.4"], ["--contrast", "0.4"], ["--saturation", "0.4"], ["--random-erase", "1"]],
        ...[["--weight-decay-on", "matrices"], ["--pct-start", "0.9"], ["--final-lr", "0.5"]],
        ...[["--sampling", "balanced"]],
      ]
    ) {
      assert(await weights(flags.join(" "), ...flags) !== plain, flags.join(" "));
    }
  }));

for (const optimizer of ["sgd", "adam", "adamw", "rmsprop", "adagrad"]) {
  test(`${optimizer} with clipping lowers the loss on the same few photos`, () =>
    withShapes(async (dir, data) => {
      const losses: number[] = [];
      const lr = optimizer === "sgd" || optimizer === "adagrad" ? "0.01" : "0.001";
      const set = smallOptions(
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

test("an aborted run keeps its last weights and says that it was stopped", () =>
  withShapes(async (dir, data) => {
    const stop = new AbortController();
    const events: RunEvent[] = [];
    const result = await train(smallOptions(data, "--epochs", "50"), places(dir, "a"), (e) => {
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

test("a diverging run stops with the step and the layer, with and without numeric checks", () =>
  withShapes(async (dir, data) => {
    const wild = ["--epochs", "5", "--lr", "1e30", "--warmup", "0"];
    const plain = await assertRejects(() => train(smallOptions(data, ...wild), places(dir, "a"), () => {}));
    const { message } = plain as Error;
    assertStringIncludes(message, "first seen in features.");
    // Whoever asks for its weights, or goes on with it, hears that.
    assertEquals(await Deno.readTextFile(join(dir, "a", "diverged.txt")), `${message}\n`);
    assertStringIncludes(
      ((await assertRejects(() => checkpointAt(join(dir, "a")))) as Error).message,
      "the run diverged",
    );
    const notes: string[] = [];
    await assertRejects(() =>
      resumeTraining(join(dir, "a"), {}, places(dir, "a"), (e) => e.event === "note" && notes.push(e.text))
    );
    assertStringIncludes(notes[0]!, "the same steps will diverge again");
    await train(smallOptions(data, "--steps", "1"), places(dir, "a"), () => {});
    assert(
      !(await Array.fromAsync(Deno.readDir(join(dir, "a")))).some(({ name }) => name === "diverged.txt"),
    );
    const checked = [...wild, "--check-numerics"];
    const error = await assertRejects(() =>
      train(smallOptions(data, ...checked), places(dir, "b"), () => {})
    );
    assertMatch(
      (error as Error).message,
      /in step [23], forward pass, features\.\d gave \d+ values that are not finite/,
    );
  }));

test("training starts from another run's weights and leaves frozen blocks alone", () =>
  withShapes(async (dir, data) => {
    await train(smallOptions(data, "--steps", "3"), places(dir, "a"), () => {});
    const weights = join(dir, "a", "last.safetensors");
    const set = smallOptions(data, "--steps", "3", "--weights", weights, "--freeze", "features");
    const notes: string[] = [];
    await train(set, places(dir, "b"), (e) => e.event === "note" && notes.push(e.text));
    assertMatch(notes.join("\n"), /^Frozen {4}features: [\d,]+ of [\d,]+ parameters$/m);
    const before = (await loadCheckpoint(weights)).tensors;
    const after = (await loadCheckpoint(join(dir, "b", "last.safetensors"))).tensors;
    assertEquals(after.get("features.0.weight"), before.get("features.0.weight"));
    assert(
      after.get("classifier.1.weight")!.data.some((v, i) => v !== before.get("classifier.1.weight")!.data[i]),
    );
  }));

test("what cannot be trained is refused in one sentence, before anything is written", () =>
  withShapes(async (dir, data) => {
    const refused = async (sentence: string, ...flags: string[]) => {
      const error = await assertRejects(() =>
        train(smallOptions(data, ...flags), places(dir, "x"), () => {})
      );
      assertStringIncludes((error as Error).message, sentence);
      assertEquals(await Deno.stat(join(dir, "x")).catch(() => undefined), undefined);
    };
    await refused("Cannot find model lenet", "--model", "lenet");
    await refused("wanted at least 61x61", "--size", "40");
    await refused("wanted at least 63x63", "--size", "1", "--model", "alexnet");
    await refused("Cannot freeze tail", "--freeze", "tail");
  }));

test("a folder that holds a run is not written over", () =>
  withShapes(async (dir, data) => {
    await train(smallOptions(data, "--steps", "1"), places(dir, "a"), () => {});
    const error = await assertRejects(() =>
      train(smallOptions(data, "--steps", "1"), places(dir, "a"), () => {})
    );
    assertStringIncludes((error as Error).message, "already holds one");
  }));

test("a place where no folder can be made is refused in one sentence", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const file = join(dir, "file");
    await Deno.writeTextFile(file, "");
    const refused = async (path: string, work: () => Promise<unknown>, reason: string) => {
      const { message } = await assertRejects(work, UserError);
      assertEquals(message, `Cannot ${reason.replace("PATH", path)}`);
    };
    await refused(
      file,
      () => createRun(file),
      "start a run in PATH: it is a file, wanted a folder or a name that is free",
    );
    const inside = join(file, "a");
    const within = "make the run's folder PATH: a part of that path is a file; choose another --out";
    await refused(inside, () => createRun(inside), within);
    await refused(inside, () => lockRun(inside), within);
    if (Deno.build.os === "linux") {
      await refused(
        "/proc/x",
        () => lockRun("/proc/x"),
        "make the run's folder PATH: no folder can be made there; choose another --out",
      );
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

test("two batches accumulated make the step that one batch of twice the size makes", () =>
  withShapes(async (dir, data) => {
    const weights: Float32Array[] = [];
    const losses: number[] = [];
    for (const [name, flags] of [["a", ["--batch-size", "16"]], ["b", ["--accumulate", "2"]]] as const) {
      const set = smallOptions(data, "--steps", "3", "--augment", "off", ...flags);
      await train(set, places(dir, name), (e) => e.event === "step" && losses.push(e.loss));
      const { tensors } = await loadCheckpoint(join(dir, name, "last.safetensors"));
      weights.push(tensors.get("features.0.weight")!.data);
    }
    assertAlmostEquals(losses[0]!, losses[1]!, 1e-5);
    weights[0]!.forEach((w, i) => assertAlmostEquals(weights[1]![i]!, w, 1e-6));
  }));

test("with a decay of nearly one, the kept weights are an average and not the last step's", () =>
  withShapes(async (dir, data) => {
    const set = smallOptions(data, "--steps", "6", "--ema", "0.99", "--warmup", "0");
    await train(set, places(dir, "a"), () => {});
    const { tensors } = await loadTensors(join(dir, "a", "last.state.safetensors"));
    const kept = (await loadCheckpoint(join(dir, "a", "last.safetensors"))).tensors;
    for (const [name, { data }] of kept) assertEquals(tensors.get(`average.${name}`)!.data, data, name);
    const name = "features.0.weight";
    assert(kept.get(name)!.data.some((v, i) => v !== tensors.get(`model.${name}`)!.data[i]));
  }));

test("photos kept on the device give bitwise the weights that photos from the cache give", () =>
  withShapes(async (dir, data) => {
    const files: Uint8Array[] = [];
    for (const resident of ["always", "never"] as const) {
      const notes: string[] = [];
      const set = smallOptions(data, "--steps", "8", "--augment", "full");
      await train(
        set,
        { ...places(dir, resident), resident },
        (e) => e.event === "note" && notes.push(e.text),
      );
      assertEquals(notes.some((text) => text.includes("kept in device memory")), resident === "always");
      files.push(await Deno.readFile(join(dir, resident, "last.safetensors")));
    }
    assertEquals(files[0], files[1]);
  }));

Deno.test("balanced class weights make rare classes count as much as frequent ones", () => {
  const entries = [0, 0, 0, 1].map((label) => ({ width: 1, height: 1, label }));
  assertEquals(balancedWeights({ entries, pixels: () => new Uint8Array(4) }, 3), [4 / 9, 4 / 3, 1]);
});

/** A run's folder as `train` makes it. */
function createRun(path: string): Promise<RunFolder> {
  const lies = { path, fromRun: "" };
  return RunFolder.create(path, settle(smallOptions("x"), 8).options, { data: lies, cache: lies });
}

test("a full disk ends a run with one sentence that names the file", async () => {
  const folder = await createRun(await Deno.makeTempDir());
  try {
    // A directory in the place of the log cannot be replaced by a file, as little as a full disk takes one.
    await Deno.remove(folder.file("log.csv"));
    await Deno.mkdir(folder.file("log.csv"));
    const row = Object.fromEntries(LOG_COLUMNS.map((name) => [name, 1])) as LogRow;
    const error = await assertRejects(() => folder.log(row), FileWriteError);
    assertStringIncludes(error.message, "log.csv");
  } finally {
    await Deno.remove(folder.path, { recursive: true });
  }
});
