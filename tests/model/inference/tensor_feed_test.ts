import { assert, assertEquals, assertThrows } from "@std/assert";
import { Plan } from "../../../engine/plan.ts";
import { readTensor } from "../../../engine/tensor.ts";
import { compact } from "../../../model/architectures/compact.ts";
import { defaultPreprocess } from "../../../data/preprocess.ts";
import { NetworkClassifier } from "../../../model/inference/classifier.ts";
import { Network } from "../../../model/network.ts";
import { TensorFeed } from "../../../model/inference/tensor_feed.ts";
import { fillParameters, infer, noise, normalisedError, toNhwc, withGpu } from "../harness.ts";

const C = 3, H = 7, W = 5, SIZE = C * H * W;

/** The bytes of values, at an offset that is no multiple of four, as they lie in the body of a request. */
function unaligned(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.byteLength + 3);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 3);
  return bytes.subarray(3);
}

Deno.test("rows of planes become the input's pixels, and a short batch leaves the others as they were", () =>
  withGpu(async (gpu) => {
    using plan = new Plan(gpu, "test feed");
    const x = plan.tensor([3, H, W, C], "x");
    using feed = await TensorFeed.create(gpu, x);
    const rows = [1, 2, 3, 4].map((seed) => noise(SIZE, seed));
    const pixels = rows.map((row) => [...toNhwc(row, C, H * W)]);
    feed.run(rows.slice(0, 3).map(unaligned));
    assertEquals([...await readTensor(gpu, x)], [pixels[0], pixels[1], pixels[2]].flat());
    feed.run([unaligned(rows[3]!)]);
    assertEquals([...await readTensor(gpu, x)], [pixels[3], pixels[1], pixels[2]].flat());
  }));

Deno.test("rows that do not fit the input are refused", () =>
  withGpu(async (gpu) => {
    using plan = new Plan(gpu, "test feed");
    using feed = await TensorFeed.create(gpu, plan.tensor([2, H, W, C], "x"));
    const row = new Uint8Array(SIZE * 4);
    assertThrows(() => feed.run([]), RangeError, "Cannot infer 0 inputs at once: wanted 1 to 2");
    assertThrows(() => feed.run([row, row, row]), RangeError, "Cannot infer 3 inputs");
    for (const length of [0, SIZE * 4 - 1, SIZE * 4 + 4]) {
      assertThrows(
        () => feed.run([row, new Uint8Array(length)]),
        RangeError,
        `got an input of ${length} bytes`,
      );
    }
  }));

Deno.test("a classifier's logits of tensors are the network's, however they are batched", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, compact({ classes: 3, size: 67 }));
    fillParameters(network);
    const card = {
      model: "compact",
      classes: ["a", "b", "c"],
      preprocess: defaultPreprocess(67),
      parameters: 1,
    };
    const classifier = new NetworkClassifier(network, card, 4);
    const size = 3 * 67 * 67;
    const values = noise(3 * size);
    const expected = await infer(network, values);
    assert(normalisedError(await classifier.infer(values, 3), expected) < 1e-6);
    const second = unaligned(values.subarray(size, 2 * size));
    assert(
      normalisedError((await classifier.classifyRows([second]))[0]!.logits, expected.subarray(3, 6)) < 1e-6,
    );
    await classifier.close();
  }));
