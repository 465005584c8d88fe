import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { drawShape, encodeJpeg, type Shape, SHAPES } from "../../data/shapes/shape_drawing.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { withGpu } from "../model/harness.ts";
import { smallOptions } from "../training/small_run.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { evaluationText } from "../../training/run/reporter.ts";
import { train } from "../../training/train.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const script = new URL("../../commands/evaluate.ts", import.meta.url).pathname;

/** A folder with a checkpoint for the four shapes and a picture at each of these paths, whose class folder names what it shows. */
async function withPhotos(
  paths: readonly string[],
  work: (evaluate: (...args: string[]) => ReturnType<typeof run>, data: string) => Promise<void>,
) {
  const dir = await Deno.makeTempDir();
  try {
    const checkpoint = join(dir, "a.safetensors"), data = join(dir, "data");
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: SHAPES.length, size: 67 }));
      const { card, tensors } = await someCheckpoint(network);
      await saveCheckpoint(checkpoint, { card: { ...card, classes: [...SHAPES] }, tensors });
    });
    for (const [id, path] of paths.entries()) {
      const file = join(data, path), shape = path.split("/").at(-2) as Shape;
      await Deno.mkdir(dirname(file), { recursive: true });
      await Deno.writeFile(file, await encodeJpeg(drawShape(shape, id, 1)));
    }
    const common = ["--checkpoint", checkpoint, "--data", data, "--cache", join(dir, "cache")];
    await work((...args) => run([...common, ...args]), data);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function run(args: string[]): Promise<{ code: number; lines: string[]; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, lines: text.decode(stdout).trim().split("\n"), err: text.decode(stderr) };
}

const photos = (folder: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${folder}/${i}.jpg`);
const ofAll = (folder: string, count: number) => SHAPES.flatMap((shape) => photos(folder + shape, count));

test("a plain folder of classes is evaluated whole, and its seeded split only when asked for, with a report", () =>
  withPhotos(ofAll("", 3), async (evaluate, data) => {
    const { code, lines, err } = await evaluate();
    assertEquals(code, 0, err);
    assertEquals(
      lines[0],
      "Split all: 12 images of data (it has no split of its own; train would test on --split test)",
    );
    assertStringIncludes(lines[1]!, "12 images, accuracy");
    const folder = join(data, "..", "report");
    const asked = await evaluate("--split", "test", "--report", folder);
    const page = await Deno.readTextFile(join(folder, "report.html"));
    assertStringIncludes(page, "compact on data");
    assertEquals([...page.matchAll(/<section id="([a-z]+)"/g)].map(([, id]) => id).slice(0, 3), [
      ...["figures", "confusion", "calibration"],
    ]);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      ...["confusion_matrix.png", "report.html", "val_predictions.jpg"],
    ]);
    assertEquals(asked.lines[0], "Split test: 4 images of data (split about 80/10/10 by class with seed 1)");
    assertStringIncludes(asked.lines[1]!, "Warning: the checkpoint does not say what it was trained on");
    assertEquals(asked.lines[2], `Report: ${join(folder, "report.html")}`);
    assertStringIncludes(asked.lines[3]!, "4 images, accuracy");
  }));

test("evaluate --tta answers by mirrored copies too", () =>
  withPhotos(ofAll("", 1), async (evaluate) => {
    const loss = async (...flags: string[]) => {
      const { code, lines, err } = await evaluate("--json", ...flags);
      assertEquals(code, 0, err);
      return JSON.parse(lines.at(-1)!).loss;
    };
    const plain = await loss(), both = await loss("--tta");
    assert(Number.isFinite(both) && plain !== both, `${plain} and ${both}`);
  }));

test("a folder with a test split alone is evaluated whole", () =>
  withPhotos(ofAll("test/", 2), async (evaluate) => {
    const { code, lines, err } = await evaluate();
    assertEquals(code, 0, err);
    assertEquals(lines[0], "Split all: 8 images of data (folders test)");
    const none = await evaluate("--split", "valid");
    assertEquals(none.code, 1);
    assertEquals(
      none.err,
      "deno task evaluate: Cannot evaluate: data has no valid images of the model's classes (folders test); " +
        "there is --split test (8), --split all (8)\n",
    );
  }));

test("a SPLIT.tsv with test rows alone is evaluated on those", () =>
  withPhotos(ofAll("", 2), async (evaluate, data) => {
    const rows = SHAPES.map((shape) => `test\t${shape}\t1.jpg\n`);
    await Deno.writeTextFile(join(data, "SPLIT.tsv"), `split\tclass\tfile\n${rows.join("")}`);
    const { code, lines, err } = await evaluate();
    assertEquals(code, 0, err);
    assertEquals(lines[0], "Split all: 4 images of data (SPLIT.tsv)");
  }));

test("a folder with training photos is evaluated on its test split, or whole when asked to", () =>
  withPhotos([...ofAll("train/", 2), ...ofAll("test/", 1)], async (evaluate) => {
    const { lines, err } = await evaluate("--json");
    assertEquals([lines.length, JSON.parse(lines[0]!).n], [1, 4]);
    assertStringIncludes(
      err,
      "Split test: 4 images of data (folders test, train; validation is about 10 % of train",
    );
    const all = await evaluate("--json", "--split", "all");
    assertEquals(JSON.parse(all.lines[0]!).n, 12);
  }));

test("classes of the checkpoint that the folder lacks are said, and it is evaluated on the others", () =>
  withPhotos([...photos("circle", 2), ...photos("star", 1)], async (evaluate) => {
    const { code, lines, err } = await evaluate("--json");
    assertEquals(code, 0, err);
    assertStringIncludes(err, "data has no image of square, triangle");
    const { n, perClass, confusion } = JSON.parse(lines[0]!);
    const told = perClass.map((c: { class: string; n: number }) => [c.class, c.n]);
    assertEquals([n, told], [3, SHAPES.map((name, k) => [name, [2, 0, 1, 0][k]])]);
    assertEquals(confusion.map((row: number[]) => row.reduce((a, b) => a + b)), [2, 0, 1, 0]);
    assert(perClass[1].recall === null);
  }));

/** A run on a picture at each of these paths, and what it reported. */
async function withRun(
  paths: readonly string[],
  flags: readonly string[],
  work: (trial: {
    end: Extract<RunEvent, { event: "end" }>;
    data: string;
    draw(path: string, id: number): Promise<void>;
    evaluate(...args: string[]): ReturnType<typeof run>;
  }) => Promise<void>,
  spoil?: (data: string) => Promise<void>,
) {
  const dir = await Deno.makeTempDir(), data = join(dir, "data"), cache = join(dir, "cache");
  const draw = async (path: string, id: number) => {
    await Deno.mkdir(dirname(join(data, path)), { recursive: true });
    await Deno.writeFile(
      join(data, path),
      await encodeJpeg(drawShape(path.split("/").at(-2) as Shape, id, 1)),
    );
  };
  try {
    for (const [id, path] of paths.entries()) await draw(path, id);
    await spoil?.(data);
    let end: RunEvent | undefined;
    await train(smallOptions(data, ...flags), { out: join(dir, "run"), cache, workers: 2 }, (e) => end = e);
    if (end?.event !== "end") throw new Error("the run did not end");
    const common = ["--cache", cache, "--batch-size", "8"];
    const own = ["--checkpoint", end.best!];
    const evaluate = (...args: string[]) =>
      run([
        ...common,
        ...args.includes("--checkpoint") ? [] : own,
        ...args.includes("--data") ? [] : ["--data", data],
        ...args,
      ]);
    await work({ end, data, draw, evaluate });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

for (
  const [layout, paths] of [
    ["a plain folder", ofAll("", 20)],
    ["folders of its own", [...ofAll("train/", 12), ...ofAll("test/", 3)]],
    ["no test photos", [...ofAll("train/", 12), ...ofAll("valid/", 3)]],
  ] as const
) {
  test(`evaluate gives exactly the figures that the run printed, whatever its seed: ${layout}`, () =>
    withRun(paths, ["--epochs", "1", "--seed", "7"], async ({ end, evaluate }) => {
      const { code, lines, err } = await evaluate("--json");
      assertEquals(code, 0, err);
      const { split, trainedOn, ...result } = JSON.parse(lines[0]!);
      assertEquals([split, trainedOn], [end.split, 0]);
      assertEquals(result, JSON.parse(JSON.stringify(end.result)));
      assertStringIncludes(err, `Split ${end.split}: ${end.result!.n} images of data`);
      assert(!err.includes("Warning"), err);
    }));
}

test("photos that came later change nothing in the run's own split, and can be evaluated alone", () =>
  withRun(ofAll("", 20), ["--epochs", "1", "--seed", "7"], async ({ end, data, draw, evaluate }) => {
    for (let id = 500; id < 530; id++) await draw(`star/${id}.jpg`, id);
    const { lines } = await evaluate();
    assertEquals(
      lines[0],
      `Split test: ${
        end.result!.n
      } images of data (the run's own: split about 80/10/10 by class with seed 7; ` +
        "30 more are new: --split unseen)",
    );
    assertEquals(lines.slice(1), evaluationText(end.result!));
    const fresh = await evaluate("--split", "unseen", "--json");
    assertEquals(JSON.parse(fresh.lines[0]!).n, 30);
    for (const name of SHAPES) await Deno.remove(join(data, name), { recursive: true });
    for (let id = 500; id < 520; id++) await draw(`star/${id}.jpg`, id);
    const other = await evaluate();
    assertStringIncludes(other.lines[0]!, "Split all: 20 images of data (it has no split of its own;");
  }));

test("evaluate warns where photos were trained on, by the run's split or another", () =>
  withRun(ofAll("", 20), ["--epochs", "1", "--seed", "7"], async ({ end, data, evaluate }) => {
    const train = JSON.parse((await evaluate("--split", "train", "--json")).lines[0]!);
    const trained = train.n, held = end.result!.n;
    assertEquals(train.trainedOn, trained);
    const all = await evaluate("--split", "all");
    assertStringIncludes(all.lines[0]!, "Split all: 80 images");
    assertEquals(
      all.lines[1],
      `Warning: the model was trained on ${trained} of these images, so the figures flatter it`,
    );
    const other = await evaluate("--split", "test", "--seed", "1");
    assertStringIncludes(other.lines[0]!, "(split about 80/10/10 by class with seed 1)");
    assertMatch(other.lines[1]!, /^Warning: the model was trained on \d+ of these images/);
    // A folder of the training photos alone, under another name.
    await Deno.rename(join(data, "star"), join(data, "..", "star"));
    await Deno.mkdir(join(data, "..", "other"));
    await Deno.rename(join(data, "..", "star"), join(data, "..", "other", "star"));
    const moved = await evaluate("--data", join(data, "..", "other"));
    assertMatch(
      moved.lines.join("\n"),
      /Split all: 20 images of other[^]*Warning: the model was trained on 1\d of/,
    );
    assert(held < trained);
  }));

test("what the starting weights were trained on is said by train and evaluate, also two runs later", () =>
  withRun(ofAll("", 20), ["--steps", "1", "--seed", "1"], async ({ end: first, data, draw, evaluate }) => {
    const dir = join(data, ".."), text: string[] = [];
    const tune = async (name: string, weights: string, seed: string) => {
      const options = smallOptions(data, "--steps", "1", "--seed", seed, "--weights", weights);
      const places = { out: join(dir, name), cache: join(dir, "cache"), workers: 2 };
      let end: RunEvent | undefined;
      await train(options, places, (e) => {
        if (e.event === "note") text.push(e.text);
        end = e;
      });
      if (end?.event !== "end") throw new Error("the run did not end");
      return end;
    };
    const warned = () => text.splice(0).filter((line) => line.includes("trained on by the starting weights"));
    // The same seed: the same split, and nothing to warn of.
    assertEquals([(await tune("same", first.best!, "1")).trainedBefore, warned()], [0, []]);
    const second = await tune("second", first.best!, "2");
    assert(second.trainedBefore > 0);
    assertMatch(
      warned().join(),
      new RegExp(
        `^Warning   ${second.trainedBefore} of ${
          second.result!.n
        } test photos and \\d of \\d+ validation photos were `,
      ),
    );
    const flattered = `Warning: the model was trained on ${second.trainedBefore} of these images`;
    const lines = (await evaluate("--checkpoint", second.best!)).lines;
    assertStringIncludes(lines[1]!, flattered);
    // Two runs later nothing is forgotten, and what only the first one had is not unseen.
    const third = await tune("third", second.best!, "2");
    assertEquals(third.trainedBefore, second.trainedBefore);
    assertStringIncludes((await evaluate("--checkpoint", third.best!)).lines[1]!, flattered);
    await draw("star/900.jpg", 900);
    const fresh = await evaluate("--checkpoint", third.best!, "--split", "unseen", "--json");
    assertEquals([JSON.parse(fresh.lines[0]!).n, JSON.parse(fresh.lines[0]!).trainedOn], [1, 0]);
  }));

test("folders that are no classes of the model are named and counted beside what is evaluated", () =>
  withPhotos(
    [...ofAll("", 2), ...photos("cow/star", 3), ...photos("Star/star", 1)],
    async (evaluate, data) => {
      const { code, lines, err } = await evaluate();
      assertEquals(code, 0, err);
      assertEquals(
        lines[0],
        "Left out 2 folders that are no classes of the model: Star, cow (4 files); Star and star differ in case only",
      );
      assertStringIncludes(lines[1]!, "Split all: 8 images of data");
      const name = "a\x1b[31m\nb.jpg";
      await Deno.writeTextFile(join(data, "star", name), "no photo");
      assertStringIncludes((await evaluate()).lines.join("\n"), "(star/a\\x1b[31m\\nb.jpg)");
    },
  ));

test("evaluate leaves out the files that the run left out, whichever split it measures, and takes --split val", () =>
  withRun(ofAll("", 20), ["--epochs", "1"], async ({ evaluate }) => {
    for (const split of ["test", "val"]) {
      const { lines } = await evaluate("--split", split);
      assertStringIncludes(lines[1]!, "Left out 9 of 89 files in class folders: 9 that cannot be decoded");
    }
    const { code, err } = await evaluate("--split", "unseen");
    assertEquals(code, 1);
    assertStringIncludes(
      err,
      "data has no unseen images of the model's classes (photos that the run did not",
    );
  }, async (data) => {
    for (let i = 0; i < 9; i++) await Deno.writeTextFile(join(data, "star", `bad${i}.jpg`), "no photo");
  }));

test("files that cannot be used are counted by reason before the figures", () =>
  withPhotos(ofAll("", 2), async (evaluate, data) => {
    await Deno.writeTextFile(join(data, "star", "broken.jpg"), "no photo");
    await Deno.writeTextFile(join(data, "star", "a.psd"), "8BPS");
    const { lines } = await evaluate();
    assertStringIncludes(lines[0]!, "Split all: 8 images of data");
    assertEquals(
      lines[1],
      "Left out 2 of 10 files in class folders: 1 Photoshop (star/a.psd); 1 that cannot be decoded (star/broken.jpg)",
    );
  }));
