import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { openDataset } from "../../data/dataset/folder.ts";
import { recordSplit } from "../../data/dataset/split_record.ts";
import type { DecodedImage } from "../../data/image/image.ts";
import { shrink } from "../../data/image/pixels.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { encodeJpeg } from "../data/encoders.ts";
import { changed, scene } from "../data/inspection/scenes.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { withGpu } from "../model/harness.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");
const script = new URL("../../commands/inspect.ts", import.meta.url).pathname;

/** Noise makes a computed scene as sharp as a photo. */
const photo = (seed: number) => {
  const image = scene(seed, 96, 72);
  return changed(
    image,
    (i) => image.data[i]! + ((Math.imul((i >> 2) + 65537 * seed, 2654435761) >>> 20) % 41) - 20,
  );
};

const darkened = (image: DecodedImage, share: number) => changed(image, (i) => image.data[i]! * share);

/** A folder of two classes with enough photos in each split, and what else it is given; its `run` inspects it. */
async function withFolder(
  more: Readonly<Record<string, DecodedImage | string>>,
  work: (
    run: (...args: string[]) => Promise<{ code: number; out: string; err: string }>,
    data: string,
  ) => Promise<void>,
) {
  const dir = await Deno.makeTempDir(), data = join(dir, "data");
  try {
    const photos: Record<string, DecodedImage | string> = {};
    let seed = 0;
    for (const name of ["cat", "dog"]) {
      for (const [split, count] of [["train", 24], ["valid", 3], ["test", 3]] as const) {
        for (let i = 0; i < count; i++) photos[`${split}/${name}/${i}.jpg`] = photo(++seed);
      }
    }
    for (const [name, content] of Object.entries({ ...photos, ...more })) {
      const path = join(data, name);
      await Deno.mkdir(dirname(path), { recursive: true });
      if (typeof content === "string") await Deno.writeTextFile(path, content);
      else await Deno.writeFile(path, await encodeJpeg(content, { quality: 90 }));
    }
    await work(async (...args) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", script, "--data", data, "--cache", join(dir, "cache"), ...args],
        env: { NO_COLOR: "1" },
      }).output();
      const text = new TextDecoder();
      return { code, out: text.decode(stdout), err: text.decode(stderr) };
    }, data);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

test("a sound folder has nothing named, and the exit code is 0", () =>
  withFolder({}, async (run) => {
    const { code, out, err } = await run();
    assertEquals([code, out.trim().split("\n").slice(1)], [
      0,
      ["Split: 48 train, 6 valid, 6 test (folders test, train, valid)", "Nothing was found that looks wrong"],
    ], err);
  }));

test("copies across splits and classes, dark and unreadable photos and small classes are named, and the exit code is 1", () =>
  withFolder({
    "valid/cat/copy.jpg": shrink(photo(1), 60),
    "train/dog/contradiction.jpg": darkened(photo(2), 0.9),
    "train/dog/night.jpg": darkened(photo(100), 0.1),
    "train/dog/broken.jpg": "no photo",
    "train/rare/1.jpg": photo(101),
    "train/rare/2.jpg": photo(102),
  }, async (run) => {
    const { code, out, err } = await run();
    assertEquals(code, 1, err);
    assertStringIncludes(out, "1 held-out photo in another split, too: figures on them flatter the model\n");
    assertStringIncludes(out, "  valid/cat/copy.jpg (valid) looks like train/cat/0.jpg (train)\n");
    assertStringIncludes(out, "1 picture in more than one class: their labels contradict each other\n");
    assertMatch(out, /train\/dog\/contradiction\.jpg .*, in another class\n/);
    assertStringIncludes(
      out,
      "1 dark: nine tenths of their pixels are nearly black\n  train/dog/night.jpg\n",
    );
    assertStringIncludes(out, "train/dog/broken.jpg: Cannot decode the image");
    assertStringIncludes(out, "Warning: rare has fewer than 20 training photos");
    assertStringIncludes(out, "Warning: classes are unequal");
    const json = await run("--json"), found = JSON.parse(json.out);
    assertEquals([json.code, json.err], [1, ""]);
    assertEquals(
      found.duplicates.map((
        d: { acrossSplits: boolean; acrossClasses: boolean; exact: boolean },
      ) => [d.acrossSplits, d.acrossClasses, d.exact]),
      [
        [true, false, false],
        [false, true, false],
      ],
    );
    assertEquals(found.faults.dark, [{ file: "train/dog/night.jpg", class: "dog", split: "train" }]);
    assertEquals(found.images, { train: 52, valid: 7, test: 6 });
    assertEquals(found.unreadable.length, 1);
  }));

test("labels are judged by models that were not trained on a photo, and the others are counted", () =>
  withFolder({}, async (run, data) => {
    const checkpoint = join(data, "..", "model.safetensors");
    const dataset = await openDataset(data, { seed: 1 });
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: 2, size: 67 }));
      const { card, tensors } = await someCheckpoint(network);
      const split = recordSplit(dataset.splits, { rule: 2, seed: 1, origin: "given" });
      await saveCheckpoint(checkpoint, { card: { ...card, classes: ["dog", "cat"], split }, tensors });
      const all = recordSplit({ train: Object.values(dataset.splits).flat(), valid: [], test: [] }, {
        rule: 2,
        seed: 1,
        origin: "given",
      });
      await saveCheckpoint(join(data, "..", "all.safetensors"), {
        card: { ...card, classes: ["dog", "cat"], split: all },
        tensors,
      });
    });
    const { code, out, err } = await run("--checkpoint", checkpoint, "--json");
    const { labels } = JSON.parse(out);
    assertEquals([labels.judged, labels.trainedOn], [12, 48], err);
    assertEquals(code, labels.issues.length > 0 ? 1 : 0);
    for (const { file, class: name, suggested } of labels.issues) {
      assertMatch(file, /^(valid|test)\//);
      assertEquals([name, suggested].toSorted(), ["cat", "dog"]);
      assertStringIncludes(file, `/${name}/`);
    }
    const none = await run("--checkpoint", join(data, "..", "all.safetensors"));
    assertEquals(none.code, 2);
    assertStringIncludes(
      none.err,
      "Cannot judge labels: every photo was trained on by every model that was asked",
    );
  }));

test("a folder that cannot be used has another exit code than findings", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", script, "--data", join(dir, "none")],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 2);
    assertStringIncludes(new TextDecoder().decode(stderr), "deno task inspect: Cannot ");
  } finally {
    await Deno.remove(dir);
  }
});

test("without a folder, inspect is called wrongly", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), "--data is missing");
});
