import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { drawShape, encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { withGpu } from "../model/harness.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const script = new URL("../../commands/predict.ts", import.meta.url).pathname;

/** A folder with a checkpoint of these classes, spoilt by `spoil`, and a photo: what `predict --json` says to it. */
async function predict(classes: readonly string[], spoil: (data: Float32Array) => void = () => {}) {
  const dir = await Deno.makeTempDir();
  try {
    const checkpoint = join(dir, "a.safetensors"), photo = join(dir, "a.jpg");
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: classes.length, size: 67 }));
      const { card, tensors } = await someCheckpoint(network);
      spoil(tensors.get("features.0.weight")!.data);
      await saveCheckpoint(checkpoint, { card: { ...card, classes: [...classes] }, tensors });
    });
    await Deno.writeFile(photo, await encodeJpeg(drawShape("star", 1, 1)));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", script, "--checkpoint", checkpoint, "--json", photo],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), err: text.decode(stderr), checkpoint };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

test("predict tells classes whose names are numbers in the order of their probabilities", async () => {
  const { code, out, err } = await predict(["10", "2", "1", "0"]);
  assertEquals(code, 0, err);
  const [answer] = JSON.parse(out);
  const { class: best, probability, probabilities, logits } = answer;
  assertEquals(probabilities[0], { class: best, probability });
  assertEquals(probabilities.map((c: { class: string }) => c.class).toSorted(), ["0", "1", "10", "2"]);
  for (let i = 1; i < probabilities.length; i++) {
    assert(probabilities[i - 1].probability >= probabilities[i].probability);
    assert(logits[i - 1].logit >= logits[i].logit);
  }
  const names = (list: { class: string }[]) => list.map((told) => told.class);
  assertEquals(names(logits), names(probabilities));
});

test("predict refuses a checkpoint whose first layer is not finite, though its answers would be", async () => {
  const { code, out, err, checkpoint } = await predict(["a", "b"], (data) => data.fill(NaN));
  assertEquals([code, out], [1, ""]);
  assertStringIncludes(err, `Cannot use ${checkpoint}: value 0 of features.0.weight is NaN`);
});
