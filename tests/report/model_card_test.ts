import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { writeModelCards } from "../../report/after_training.ts";
import { Recorder } from "../../report/recorder.ts";
import { checkpointOf } from "../model/inference/small_checkpoint.ts";
import { testNeeding } from "../permissions.ts";
import { endOf, EVALUATION, startOf } from "./events.ts";

const test = testNeeding("all");

/** A folder as a run of two classes leaves it, and what is told when its card is written. */
async function withRun(
  work: (path: string, write: () => Promise<string[]>) => Promise<void>,
  stopped = false,
) {
  const dir = await Deno.makeTempDir(), out = join(dir, "animals");
  try {
    await Deno.mkdir(out);
    await Deno.writeTextFile(join(out, "config.json"), "{}");
    const { card, tensors } = checkpointOf(2, 1);
    await saveCheckpoint(join(out, "best.safetensors"), {
      tensors,
      card: {
        ...card,
        classes: ["a|b", 'the "dog"'],
        training: {
          confusion: [[45, 5], [2, 48]],
          epoch: 7,
          optimizer: "sgd",
          lr: 0.1,
          schedule: "cosine",
          batchSize: 8,
        },
        calibration: { temperature: 0.5, photos: 100, eceBefore: 0.09, eceAfter: 0.03 },
        unknown: { threshold: -2, falseRefusals: 0.05, photos: 100, energy: { centre: 1, spread: 1 } },
      },
    });
    {
      using recorder = new Recorder({ command: ["--data", "photos", "--out", out] });
      recorder.add(startOf(out));
      recorder.add({ ...endOf(40), ...{ split: "test", result: EVALUATION, stopped } } as never);
    }
    await work(join(out, "README.md"), async () => {
      const notes: string[] = [];
      await writeModelCards([out], (event) => void notes.push(event.event === "note" ? event.text : ""));
      return notes;
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

test("a run's model card has metadata as hubs read them, figures with intervals, and what the checkpoint says", () =>
  withRun(async (path, write) => {
    assertEquals(await write(), [`Card      ${path}`]);
    const text = await Deno.readTextFile(path);
    assertMatch(text, /^---\n# license: yours to choose/);
    const [, metadata = "", body = ""] = text.split(/^---$/m);
    for (
      const line of [
        "library_name: alexnet-webgpu",
        "pipeline_tag: image-classification",
        '  - "compact"',
        '  - name: "animals"',
        '          name: "photos"',
        "          split: validation",
        "            value: 0.9300",
        "          split: test",
        "            value: 0.7500",
      ]
    ) assertStringIncludes(metadata, `${line}\n`);
    // Of 93 in 100 by Wilson.
    assertStringIncludes(body, "| accuracy | 93 % (86.3 % to 96.6 %), 100 | 75 % (30.1 % to 95.4 %), 4 |\n");
    assertStringIncludes(body, "| recall of a\\|b | 90 % (78.6 % to 95.7 %), 50 |");
    assertStringIncludes(body, "less familiar than 95 % of the validation photos is called unknown");
    assertStringIncludes(
      body,
      "divided by 0.500, chosen on 100 validation photos: expected calibration error 0.030 (0.090 without)",
    );
    assertStringIncludes(body, "deno task predict --checkpoint best.safetensors photo.jpg\n");
    assertStringIncludes(body, "deno task train --data photos\n");
    assertStringIncludes(body, "20 training, 4 validation and 0 test photos of 2 classes");
  }));

test("a card is written again where nobody has touched it, and kept where somebody has", () =>
  withRun(async (path, write) => {
    await write();
    const written = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, written.replaceAll("\n", "\r\n"));
    assertEquals(await write(), [`Card      ${path}`]);
    assertEquals(await Deno.readTextFile(path), written);
    const edited = written.replace("# license: yours to choose", "license: mit #");
    assert(edited !== written);
    await Deno.writeTextFile(path, edited);
    assertEquals(await write(), [`Card      not written: ${path} was edited and is kept`]);
    assertEquals(await Deno.readTextFile(path), edited);
  }));

test("a run that was stopped has no card yet", () =>
  withRun(async (path, write) => {
    assertEquals(await write(), []);
    assertEquals(await Deno.stat(path).catch(() => undefined), undefined);
  }, true));
