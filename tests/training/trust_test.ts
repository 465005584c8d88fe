import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { createClassifier } from "../../model/inference/load.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { train } from "../../training/train.ts";
import { gpu } from "../gpu.ts";
import { testNeeding } from "../permissions.ts";
import { places, smallOptions } from "./small_run.ts";

const test = testNeeding("all");

test("a run chooses on its validation photos what makes its best checkpoint honest, and the checkpoint answers by it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const data = await ensureShapes(join(dir, "shapes"), {
      seed: 3,
      counts: { train: 48, valid: 24, test: 8 },
    });
    const events: RunEvent[] = [];
    const options = smallOptions(data, "--epochs", "2", "--false-refusals", "0.1");
    const result = await train(options, places(dir, "run"), (event) => void events.push(event));
    const path = join(dir, "run", "best.safetensors"), checkpoint = await loadCheckpoint(path);
    const { calibration, unknown } = checkpoint.card;
    assertEquals([calibration!.photos, unknown!.photos, unknown!.falseRefusals], [24, 24, 0.1]);
    assertEquals(checkpoint.exemplars!.maps.length, 3);
    assertEquals(result!.calibrated!.temperature, calibration!.temperature);
    assert(result!.unknown !== undefined);
    const notes = events.flatMap((event) => event.event === "note" ? [event.text] : []).join("\n");
    assertStringIncludes(notes, "Trust     temperature ");
    assertStringIncludes(notes, "Warning   24 validation photos are few");

    const classifier = await createClassifier(checkpoint, { gpu, maxBatch: 1 });
    const photo = (seed: number) => ({
      width: 64,
      height: 64,
      data: new Uint8Array(64 * 64 * 4).map((_, i) => i * i * seed >> 3),
    });
    const [noise] = await classifier.classify([photo(7)]);
    assertEquals(noise!.unknown, true);
    const { logits, probabilities } = noise!, top = Math.max(...logits), { temperature } = calibration!;
    const powers = logits.map((v) => Math.exp((v - top) / temperature));
    const sum = powers.reduce((a, b) => a + b, 0);
    probabilities.forEach((p, k) => assertAlmostEquals(p, powers[k]! / sum, 1e-5));
    await classifier.close();
    const { calibration: _, unknown: __, ...card } = checkpoint.card;
    const older = await createClassifier({ card, tensors: checkpoint.tensors }, { gpu, maxBatch: 1 });
    const [plain] = await older.classify([photo(7)]);
    assertEquals(plain!.logits, logits);
    assertEquals([plain!.unknown, plain!.familiarity], [undefined, undefined]);
    await older.close();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
