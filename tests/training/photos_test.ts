import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { DataError } from "../../data/dataset/folder.ts";
import { drawShape, encodeJpeg, type Shape } from "../../data/shapes/shape_drawing.ts";
import { shrink } from "../../data/image/pixels.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { lockRun, RunFolder } from "../../training/run/run_folder.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { smallOptions } from "./small_run.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

interface Trial {
  /** The folder of photos. */
  readonly data: string;
  /** Draws photos of a class: the numbers of the drawings name the files. */
  draw(folder: string, numbers: readonly number[], shape?: Shape): Promise<void>;
  /** Writes files that are no photos, though they are named so. */
  spoil(folder: string, count: number): Promise<void>;
  /** Trains into `run` and returns what was reported. */
  train(...flags: string[]): Promise<RunEvent[]>;
  /** Goes on with it. */
  resume(longer?: { epochs?: number; steps?: number }): Promise<RunEvent[]>;
  /** A path in the run's folder. */
  run(file: string): string;
}

async function withTrial(work: (trial: Trial) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  const data = join(dir, "photos"), out = join(dir, "run"), cache = join(dir, "cache");
  const place = { out, cache, workers: 2 };
  const write = async (path: string, bytes: Uint8Array) => {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeFile(path, bytes);
  };
  try {
    await work({
      data,
      async draw(folder, numbers, shape = "circle") {
        for (const i of numbers) {
          await write(join(data, folder, `${i}.jpg`), await encodeJpeg(drawShape(shape, i, 1)));
        }
      },
      async spoil(folder, count) {
        for (let i = 0; i < count; i++) {
          await write(join(data, folder, `bad${i}.jpg`), Uint8Array.of(1, 2, 3, i));
        }
      },
      async train(...flags) {
        const events: RunEvent[] = [];
        await train(smallOptions(data, ...flags), place, (event) => events.push(event));
        return events;
      },
      async resume(longer = {}) {
        const events: RunEvent[] = [];
        await resumeTraining(out, longer, place, (event) => events.push(event));
        return events;
      },
      run: (file) => join(out, file),
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
const notes = (events: readonly RunEvent[]) => events.flatMap((e) => e.event === "note" ? [e.text] : []);
const startOf = (events: readonly RunEvent[]) => events.find((e) => e.event === "start")!;
const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

test("a class of which no photo can be decoded ends the run before it begins, whatever its length is", () =>
  withTrial(async ({ draw, spoil, train, run }) => {
    await draw("bird", upTo(20));
    await spoil("dog", 20);
    for (const flags of [["--steps", "5"], ["--epochs", "2"], ["--epochs", "1", "--batch-size", "32"]]) {
      const error = await assertRejects(() => train(...flags), DataError);
      assertStringIncludes(
        error.message,
        'class "dog" has no training image that can be decoded; convert its files',
      );
      assertEquals(await exists(run("config.json")), false);
    }
  }));

test("photos that cannot be decoded are counted out: used and left out are together all files", () =>
  withTrial(async ({ data, draw, spoil, train, run }) => {
    await draw("bird", upTo(12));
    await draw("dog/deep", upTo(12, 50), "star");
    await spoil("dog", 9);
    await Deno.writeTextFile(join(data, "dog", "notes.txt"), "no photo");
    const events = await train("--epochs", "1");
    const { images, leftOut } = startOf(events);
    assertEquals([images.train + images.valid + images.test, leftOut], [24, 10]);
    const text = notes(events).find((note) => note.startsWith("Left out 10 of 34 files in class folders: "));
    assertMatch(
      text!,
      /: 9 that cannot be decoded \(dog\/bad\d\.jpg, .*, …\); 1 no photo \(dog\/notes\.txt\)/,
    );
    const end = events.at(-1)!;
    assert(end.event === "end" && await exists(end.last) && await exists(end.best!));
    assertEquals(JSON.parse(await Deno.readTextFile(run("photos.json"))).photos.length, 33);
  }));

test("a batch is never larger than what there is, and the run says so", () =>
  withTrial(async ({ draw, train }) => {
    await draw("train/bird", upTo(9));
    await draw("train/dog", upTo(9, 20), "star");
    await draw("valid/dog", upTo(2, 40), "star");
    const events = await train("--epochs", "2", "--batch-size", "32", "--accumulate", "2");
    assert(notes(events).includes("Batch     18 images instead of 2 x 32: there are 18 training photos"));
    assertEquals([startOf(events).steps, startOf(events).epochs], [2, 2]);
    assert(events.every((event) => event.event !== "epoch" || Number.isFinite(event.trainLoss)));
  }));

test("warnings stand before the start, and balanced accuracy beside accuracy in the result and the card", () =>
  withTrial(async ({ draw, train, run }) => {
    await draw("train/bird", upTo(16));
    await draw("train/dog", upTo(4, 20), "star");
    await draw("valid/bird", upTo(7, 8));
    await draw("valid/dog", upTo(1, 40), "star");
    const events = await train("--epochs", "1");
    const before = notes(events.slice(0, events.findIndex((event) => event.event === "start")));
    assert(
      before.some((text) =>
        text.startsWith("Warning   classes are unequal: bird has 16 training photos, dog 4")
      ),
    );
    assert(
      before.some((text) => text.startsWith("Warning   7 of 8 held-out photos are training photos too")),
    );
    const end = events.at(-1)!;
    assert(end.event === "end");
    const { balancedAccuracy, perClass } = end.result!;
    assertEquals(balancedAccuracy, (perClass[0]!.recall! + perClass[1]!.recall!) / 2);
    const { card } = await loadCheckpoint(run("best.safetensors"));
    assertEquals(card.training?.validationBalancedAccuracy, balancedAccuracy);
  }));

test("a run goes on with the photos that it began with: new ones are named and wait, missing and changed ones end it", () =>
  withTrial(async ({ data, draw, train, resume, run }) => {
    await draw("bird", upTo(20));
    await draw("dog", upTo(20, 50), "star");
    await train("--steps", "4", "--warmup", "0", "--schedule", "constant");
    const list = await Deno.readTextFile(run("photos.json"));
    await draw("dog", upTo(9, 80), "star");
    await draw("emu", upTo(2, 90));
    const events = await resume({ steps: 6 });
    assert(notes(events).includes("Classes   Left out 1 folder that is no class of the run: emu (2 files)"));
    assertStringIncludes(
      notes(events).join("\n"),
      "Photos    9 new (dog/80.jpg, dog/81.jpg, dog/82.jpg, …): the run goes on without",
    );
    assertEquals(notes(events).filter((note) => note.includes("dog/80.jpg")).length, 1, "said once");
    assertEquals(await Deno.readTextFile(run("photos.json")), list);
    const config = await Deno.readTextFile(run("config.json"));
    await Deno.remove(join(data, "bird", "3.jpg"));
    await Deno.writeTextFile(join(data, "bird", "4.jpg"), "another");
    // As long as it was, but not what it was.
    const edited = await Deno.readFile(join(data, "dog", "50.jpg"));
    edited[edited.length - 10]! ^= 1;
    await Deno.writeFile(join(data, "dog", "50.jpg"), edited);
    const error = await assertRejects(() => resume({ steps: 8 }), DataError);
    assertStringIncludes(error.message, "1 gone (bird/3.jpg), 2 changed (bird/4.jpg, dog/50.jpg); a run");
    assert(!error.message.includes("new"), error.message);
    assertEquals(await Deno.readTextFile(run("config.json")), config);
  }));

test("photos that came meanwhile do not change a resumed run: it ends bitwise as the unbroken one", () =>
  withTrial(async ({ draw, train, resume, run }) => {
    await draw("bird", upTo(20));
    await draw("dog", upTo(20, 50), "star");
    await train("--steps", "7", "--warmup", "0", "--schedule", "constant", "--augment", "full");
    const whole = await Deno.readFile(run("last.safetensors"));
    await Deno.remove(run(""), { recursive: true });
    await train("--steps", "3", "--warmup", "0", "--schedule", "constant", "--augment", "full");
    await draw("bird", upTo(5, 100));
    await resume({ steps: 7 });
    assertEquals(await Deno.readFile(run("last.safetensors")), whole);
  }));

test("a run of a version that listed no photos goes on with its own rule and split", () =>
  withTrial(async ({ draw, train, resume, run }) => {
    await draw("bird", upTo(20));
    await draw("dog", upTo(20, 50), "star");
    await train("--steps", "2", "--warmup", "0", "--schedule", "constant");
    await Deno.remove(run("photos.json"));
    await draw("bird/deep", [99]);
    const events = await resume({ steps: 3 });
    assertEquals(startOf(events).images, { train: 32, valid: 4, test: 4 });
    assertStringIncludes(notes(events).join("\n"), "1 unknown to the run's version (bird/deep/99.jpg)");
    assertEquals(JSON.parse(await Deno.readTextFile(run("photos.json"))).rule, 1);
  }));

test("two programs cannot work in one run's folder, and a lock that nobody holds is none", () =>
  withTrial(async ({ draw, train, resume, run }) => {
    await draw("bird", upTo(10));
    await draw("dog", upTo(10, 50), "star");
    await train("--steps", "1");
    const log = await Deno.readTextFile(run("log.csv"));
    {
      using _ = await lockRun(run(""));
      await assertRejects(() => resume({ steps: 2 }), Error, "another program trains there now");
    }
    assertEquals(await Deno.readTextFile(run("log.csv")), log);
    assert(await exists(run("run.lock")), "the file stays");
    await resume({ steps: 2 });
  }));

test("a run cannot be shortened, and its configuration stays as it is", () =>
  withTrial(async ({ draw, train, resume, run }) => {
    await draw("train/bird", upTo(8));
    await draw("train/dog", upTo(8, 50), "star");
    await train("--epochs", "3");
    const config = await Deno.readTextFile(run("config.json"));
    await assertRejects(
      () => resume({ epochs: 2 }),
      Error,
      "with 2 epochs: it has done 6 steps, which is more than 4",
    );
    await assertRejects(() => resume({ steps: 1 }), Error, "with 1 step: it has done 6 steps");
    assertEquals(await Deno.readTextFile(run("config.json")), config);
  }));

test("a run that died before its first state was saved begins anew, resumed or started again", () =>
  withTrial(async ({ draw, train, resume, run }) => {
    await draw("train/bird", upTo(16));
    await draw("train/dog", upTo(16, 50), "star");
    await train("--epochs", "1");
    const whole = await Deno.readFile(run("last.safetensors"));
    // What kill -9 in the first epoch leaves.
    const die = async () => {
      await Deno.remove(run("last.state.safetensors"));
      await Deno.remove(run("last.safetensors"));
    };
    await die();
    assertStringIncludes(notes(await resume()).join("\n"), "it begins anew");
    assertEquals(await Deno.readFile(run("last.safetensors")), whole);
    await die();
    await train("--epochs", "1");
    assertEquals(await Deno.readFile(run("last.safetensors")), whole);
    await assertRejects(() => RunFolder.requireFree(run("")), Error, "already holds one");
  }));

test("copies of a photo in two splits are said before training in one line, and once", () =>
  withTrial(async ({ data, draw, train, resume }) => {
    await draw("train/bird", upTo(10));
    await draw("train/dog", upTo(10, 20), "star");
    await draw("valid/bird", upTo(2, 50));
    await draw("valid/dog", upTo(2, 60), "star");
    const original = shrink(drawShape("star", 21, 1), 80);
    await Deno.writeFile(join(data, "valid", "dog", "copy.jpg"), await encodeJpeg(original, { quality: 60 }));
    const said = (events: readonly RunEvent[]) =>
      notes(events).filter((text) => text.includes("deno task inspect"));
    assertEquals(said(await train("--epochs", "1")), [
      "Warning   1 held-out photo looks like one of another split (valid/dog/copy.jpg (valid) looks like " +
      "train/dog/21.jpg (train)): figures on it flatter the model; deno task inspect names them all",
    ]);
    assertEquals(said(await resume({ epochs: 2 })), []);
  }));
