import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Paces } from "../../training/options/paces.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

Deno.test("a block has the pace that is said of it, and else that of the block around it", () => {
  const paces = new Paces({ lrScale: ["features=0.1", "features.3=0.5"], unfreeze: ["features=2"] });
  assertEquals(paces.groupOf("features.0.weight"), "features");
  assertEquals(paces.groupOf("features.3.weight"), "features.3");
  assertEquals(paces.groupOf("features.30.weight"), "features");
  assertEquals(paces.groupOf("classifier.1.bias"), "");
  assertEquals(paces.paceOf("features", 10), { scale: 0.1, rest: 20 });
  assertEquals(paces.paceOf("features.3", 10), { scale: 0.5, rest: 20 });
  assertEquals(paces.paceOf("", 10), { scale: 1, rest: 0 });
  assertEquals(paces.lines, [
    "Pace      features.3: 0.5 times the learning rate, from epoch 3 on",
    "Pace      features: 0.1 times the learning rate, from epoch 3 on",
  ]);
});

Deno.test("a pace that cannot be is refused by its own words", () => {
  for (const text of ["features", "features=", "=0.1", "features=-1", "features=x", "a=1=2"]) {
    const read = () => new Paces({ lrScale: [text], unfreeze: undefined });
    assertThrows(read, UserError, `lrScale has "${text}", wanted BLOCK=NUMBER`);
  }
  const twice = () => new Paces({ lrScale: undefined, unfreeze: ["a=1", "a=2"] });
  assertThrows(twice, UserError, 'unfreeze has "a=2"');
  const paces = new Paces({ lrScale: ["features=0.1"], unfreeze: undefined });
  const names = ["features.0.weight", "classifier.1.weight"];
  assertThrows(
    () => paces.require(["conv.weight"]),
    UserError,
    "Cannot train features apart: the network has no such block, it has conv",
  );
  assertThrows(
    () => paces.require(names, (name) => name.startsWith("features")),
    UserError,
    "frozen for good",
  );
  paces.require(names);
});

test("blocks rest for their epochs, learn at their rates, and a run that is stopped goes on with both", () =>
  withShapes(async (dir, data) => {
    const read = async (run: string, file = "last.safetensors") =>
      (await loadCheckpoint(join(dir, run, file))).tensors;
    const flags = ["--optimizer", "adam", "--schedule", "constant", "--warmup", "0", "--epochs"];
    const paced = (epochs: string) =>
      smallOptions(
        data,
        ...flags,
        epochs,
        "--unfreeze",
        "features=1",
        "--lr-scale",
        "classifier=0",
        "--ema",
        "0.9",
      );
    const events: RunEvent[] = [];
    await train(paced("1"), places(dir, "first"), (event) => events.push(event));
    const first = await read("first");
    // All rests: the features by their epoch, the classifier by its factor.
    await train({ ...paced("1"), steps: 1 }, places(dir, "start"), () => {});
    const start = await read("start");
    for (const [name, { data }] of first) assertEquals(data, start.get(name)!.data, name);
    assert(
      events.some((e) =>
        e.event === "note" && e.text.includes("features: 1 times the learning rate, from epoch 2")
      ),
    );
    await train(paced("2"), places(dir, "whole"), () => {});
    const whole = await read("whole");
    for (const [name, { data }] of whole) {
      const same = data.every((value, i) => value === first.get(name)!.data[i]);
      assertEquals(same, name.startsWith("classifier"), name);
    }
    const stop = new AbortController();
    const halt = (e: RunEvent) => e.event === "step" && e.step >= 10 && stop.abort();
    await train(paced("2"), places(dir, "parts"), halt, stop.signal);
    await resumeTraining(join(dir, "parts"), {}, places(dir, "parts"), () => {});
    for (const [name, { data }] of await read("parts")) assertEquals(data, whole.get(name)!.data, name);
  }));
