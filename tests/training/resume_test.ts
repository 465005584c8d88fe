import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { parseFlags } from "../../commands/cli/args.ts";
import { givenOptions, TRAIN_COMMAND } from "../../commands/train_command.ts";
import { loadTensors, saveTensors } from "../../model/checkpoint/checkpoint.ts";
import { runOptions } from "../../training/options/options.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { settle } from "../../training/options/settle.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const read = (dir: string, name: string, file = "last.safetensors") => Deno.readFile(join(dir, name, file));
const steps = (csv: string) => csv.trim().split("\n").map((row) => row.split(",").slice(0, 2).join());
const withoutRates = (csv: string) => csv.trim().split("\n").map((row) => row.split(",").slice(0, -1).join());

/** Trains until `steps` are done, as Ctrl-C would. */
async function stopAt(
  steps: number,
  run: (signal: AbortSignal, step: (n: number) => void) => Promise<unknown>,
) {
  const stop = new AbortController();
  await run(stop.signal, (n) => n >= steps && stop.abort());
}

for (
  const [name, perEpoch, flags] of [
    ["sgd", 12, ["--augment", "full", "--batch-size", "4"]],
    ["an incomplete last batch", 10, ["--augment", "full", "--batch-size", "5"]],
    ["accumulation with a shorter last step", 4, ["--batch-size", "5", "--accumulate", "3"]],
    ["adam with accumulation, average and clipping", 6, [
      ...["--batch-size", "4"],
      ...["--optimizer", "adam", "--lr", "0.001", "--accumulate", "2", "--ema", "0.9", "--clip-norm", "1"],
    ]],
    ["mixup, cutmix, crops, colours, erased boxes, balanced sampling", 12, [
      ...["--batch-size", "4", "--mixup", "0.4", "--cutmix", "1", "--mix-prob", "0.8", "--hflip", "0.3"],
      ...["--crop-scale", "0.3,1", "--brightness", "0.4", "--contrast", "0.4", "--saturation", "0.4"],
      ...["--random-erase", "0.5", "--sampling", "balanced", "--weight-decay-on", "matrices", "--ema", "0.9"],
      ...[
        "--nesterov",
        "--schedule",
        "one-cycle",
        "--pct-start",
        "0.2",
        "--final-lr",
        "0.1",
        "--patience",
        "9",
      ],
    ]],
    ["progressive resizing", 6, [
      ...[
        "--model",
        "compact-res",
        "--start-size",
        "32",
        "--start-share",
        "0.5",
        "--ema",
        "0.9",
        "--mixup",
        "1",
      ],
      ...["--random-erase", "0.5"],
    ]],
    ["mixup with accumulation", 4, ["--batch-size", "5", "--accumulate", "3", "--mixup", "1"]],
    ["batch normalisation", 12, [
      ...["--batch-size", "4", "--model", "compact-bn", "--schedule", "one-cycle", "--optimizer", "rmsprop"],
    ]],
  ] as const
) {
  test(`a run stopped in the middle of an epoch and resumed ends bitwise as if it had not stopped: ${name}`, () =>
    withShapes(async (dir, data) => {
      const set = smallOptions(data, "--epochs", "4", "--seed", "5", ...flags);
      await train(set, places(dir, "whole"), () => {});
      await stopAt(
        10,
        (signal, step) => train(set, places(dir, "parts"), (e) => e.event === "step" && step(e.step), signal),
      );
      assert((await read(dir, "parts")).some((byte, i) => byte !== 0 && i > 0));
      const stopped = (await loadTensors(join(dir, "parts", "last.state.safetensors"))).metadata;
      const { step, epoch } = JSON.parse(stopped.progress!);
      assertEquals([epoch, step % perEpoch > 0], [Math.floor(step / perEpoch), true]);
      await resumeTraining(join(dir, "parts"), { steps: undefined }, places(dir, "parts"), () => {});
      for (const file of ["last.safetensors", "best.safetensors"]) {
        assertEquals(await read(dir, "parts", file), await read(dir, "whole", file), file);
      }
      const logs = await Promise.all(
        ["whole", "parts"].map((run) => Deno.readTextFile(join(dir, run, "log.csv"))),
      );
      assertEquals(withoutRates(logs[1]!), withoutRates(logs[0]!));
    }));
}

test("a run that died after its state was saved goes on from there, its later log rows taken back", () =>
  withShapes(async (dir, data) => {
    const set = smallOptions(data, "--epochs", "3", "--seed", "2");
    await train(set, places(dir, "whole"), () => {});
    // What kill -9 in the third epoch leaves: the state after step 8 by --save-every, a half-written row.
    const died = await assertRejects(() =>
      train(set, { ...places(dir, "died"), saveEvery: 4 }, (e) => {
        if (e.event === "step" && e.step > 8) throw new Error("killed");
      })
    );
    assertEquals((died as Error).message, "killed");
    await Deno.writeTextFile(join(dir, "died", "log.csv"), "2,12,0.1,1\n3,1", { append: true });
    await resumeTraining(join(dir, "died"), { steps: undefined }, places(dir, "died"), () => {});
    assertEquals(await read(dir, "died"), await read(dir, "whole"));
    const log = await Deno.readTextFile(join(dir, "died", "log.csv"));
    assertEquals(steps(log), ["epoch,step", "1,6", "2,12", "3,18"]);
  }));

test("a run that waits in vain for a better validation ends, and stays ended when it is resumed", () =>
  withShapes(async (dir, data) => {
    // Nothing is learnt, so no epoch is better than the first.
    const set = smallOptions(data, "--epochs", "9", "--lr", "0", "--patience", "2");
    const notes: string[] = [], ended: unknown[] = [];
    const report = (e: RunEvent) => {
      // That there are few validation photos is told after the end.
      if (e.event === "note" && !e.text.startsWith("Trust")) notes.push(e.text);
      if (e.event === "end") ended.push([e.stopped, e.step, e.split]);
    };
    await train(set, places(dir, "whole"), report);
    const text = "Ended     after epoch 3: no better validation in 2 epochs (patience)";
    assertEquals([notes.at(-1), ended], [text, [[false, 18, "test"]]]);
    assertEquals(steps(await Deno.readTextFile(join(dir, "whole", "log.csv"))).at(-1), "3,18");
    // Stopped while it waits, it waits no longer than the other.
    await stopAt(
      14,
      (signal, step) => train(set, places(dir, "parts"), (e) => e.event === "step" && step(e.step), signal),
    );
    await resumeTraining(join(dir, "parts"), {}, places(dir, "parts"), report);
    assertEquals(notes.at(-1), text);
    assertEquals(await read(dir, "parts"), await read(dir, "whole"));
    const before = await read(dir, "whole");
    await resumeTraining(join(dir, "whole"), {}, places(dir, "whole"), report);
    assertEquals([notes.at(-1), await read(dir, "whole")], [text, before]);
    assertEquals(ended, [[false, 18, "test"], [false, 18, "test"], [false, 18, "test"]]);
  }));

test("a finished run can be lengthened", () =>
  withShapes(async (dir, data) => {
    // The default warm-up is a share of the run as it was begun.
    const set = (steps: string) =>
      smallOptions(data, "--steps", steps, "--schedule", "constant", "--warmup", "4");
    await train(set("8"), places(dir, "a"), () => {});
    await resumeTraining(join(dir, "a"), { steps: 20 }, places(dir, "a"), () => {});
    await train(set("20"), places(dir, "b"), () => {});
    assertEquals(
      (await loadTensors(join(dir, "a", "last.safetensors"))).tensors,
      (await loadTensors(join(dir, "b", "last.safetensors"))).tensors,
    );
    assertEquals(JSON.parse(await Deno.readTextFile(join(dir, "a", "config.json"))).steps, 20);
    const notes: string[] = [];
    await train(smallOptions(data, "--epochs", "1", "--batch-size", "16"), places(dir, "c"), () => {});
    await resumeTraining(join(dir, "c"), { epochs: 2 }, places(dir, "c"), (e) => {
      if (e.event === "note") notes.push(e.text);
    });
    assertEquals(notes[0], "Resumed   after step 3");
    assertStringIncludes(notes[1]!, "Lengthened from 3 to 6 steps: the cosine schedule is stretched");
  }));

test("resuming a run that is finished in the middle of an epoch keeps its log and weights", () =>
  withShapes(async (dir, data) => {
    await train(smallOptions(data, "--steps", "8"), places(dir, "a"), () => {});
    const files = ["log.csv", "config.json", "last.safetensors"];
    const before = await Promise.all(files.map((file) => read(dir, "a", file)));
    const notes: string[] = [];
    const note = (e: RunEvent) => e.event === "note" && !e.text.startsWith("Trust") && notes.push(e.text);
    await resumeTraining(join(dir, "a"), { steps: undefined }, places(dir, "a"), note);
    assertEquals(notes.slice(-2), [
      "Resumed   after step 8",
      "Finished  after all of its 8 steps: nothing is trained; a larger --epochs (it had 2) or --steps lengthens it",
    ]);
    for (const [i, file] of files.entries()) {
      const after = await read(dir, "a", file);
      assert(after.length === before[i]!.length && after.every((byte, k) => byte === before[i]![k]), file);
    }
  }));

test("what cannot be resumed is refused in one sentence and left as it is", () =>
  withShapes(async (dir, data) => {
    const resume = () => resumeTraining(join(dir, "a"), { steps: undefined }, places(dir, "a"), () => {});
    const refused = async (sentence: string) => {
      const error = await assertRejects(resume);
      assertStringIncludes((error as Error).message, sentence);
    };
    await refused("there is no such folder");
    await train(smallOptions(data, "--steps", "2"), places(dir, "a"), () => {});
    const path = join(dir, "a", "last.state.safetensors"), whole = await Deno.readFile(path);
    await Deno.writeFile(path, whole.subarray(0, whole.length - 5));
    await refused("Cannot read");
    const { tensors, metadata } = await loadTensors(path).catch(async () => {
      await Deno.writeFile(path, whole);
      return await loadTensors(path);
    });
    const velocity = "optimizer.velocity.features.3.bias", sound = tensors.get(velocity)!;
    const spoilt = { shape: sound.shape, data: sound.data.slice().fill(Infinity, 7, 8) };
    await saveTensors(path, new Map(tensors).set(velocity, spoilt), metadata);
    await refused(`Cannot use ${path}: value 7 of optimizer.velocity.features.3.bias is Infinity`);
    await saveTensors(path, tensors, {});
    await refused("it holds no training progress");
    const config = await read(dir, "a", "config.json");
    await assertRejects(() => resumeTraining(join(dir, "a"), { steps: 9 }, places(dir, "a"), () => {}));
    assertEquals(await read(dir, "a", "config.json"), config);
    const some = new Map([...tensors].filter(([name]) => name !== "optimizer.velocity.features.3.bias"));
    await saveTensors(path, some, metadata);
    await refused("optimizer.velocity.features.3.bias is missing, wanted [32]");
    await Deno.remove(path);
    await refused("it has no last.state.safetensors");
    await Deno.writeTextFile(join(dir, "a", "config.json"), `{"model": 3}`);
    await Deno.writeFile(path, whole);
    await refused("model in config.json is wrong");
  }));

test("config.json records the options of the flags and what the run chose, and goes on with that", () =>
  withShapes(async (dir, data) => {
    const flags = ["--data", data, "--steps", "1", "--size", "64", "--model", "compact"];
    const set = runOptions(givenOptions(parseFlags(flags, TRAIN_COMMAND)));
    await train(set, places(dir, "a"), () => {});
    const { RunFolder } = await import("../../training/run/run_folder.ts");
    const { options } = await RunFolder.open(join(dir, "a"));
    const { options: wanted } = settle(set, 48);
    assertEquals(JSON.parse(JSON.stringify(options)), JSON.parse(JSON.stringify(wanted)));
    assertEquals([wanted.lr, wanted.batchSize, wanted.warmup, wanted.epochs], [0.02, 32, 0, 1]);
    const chosen: unknown[] = [];
    await resumeTraining(join(dir, "a"), { steps: 2 }, places(dir, "a"), (e) => {
      if (e.event === "start") chosen.push(...e.chosen);
    });
    assertEquals(chosen, []);
  }));

test("a run of a version that trained on whole steps only stays finished, or goes on with epochs of those", () =>
  withShapes(async (dir, data) => {
    const lengths: number[] = [], config = join(dir, "a", "config.json");
    const report = (e: RunEvent) => e.event === "start" && lengths.push(e.steps);
    // Of 48 photos such a version made 5 batches of 9; this one would make 6.
    await train(smallOptions(data, "--steps", "5", "--batch-size", "9"), places(dir, "a"), report);
    const { paths: _, steps: __, ...recorded } = JSON.parse(await Deno.readTextFile(config));
    await Deno.writeTextFile(config, JSON.stringify({ ...recorded, epochs: 1 }));
    const before = await read(dir, "a");
    await resumeTraining(join(dir, "a"), {}, places(dir, "a"), report);
    assertEquals(await read(dir, "a"), before);
    await resumeTraining(join(dir, "a"), { epochs: 2 }, places(dir, "a"), report);
    assertEquals(lengths, [5, 5, 10]);
    const log = await Deno.readTextFile(join(dir, "a", "log.csv"));
    assertEquals(steps(log), ["epoch,step", "1,5", "2,10"]);
  }));
