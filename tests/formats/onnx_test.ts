import { UserError } from "../../engine/errors.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { exportOnnx } from "../../formats/onnx.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { type Checkpoint, CheckpointError } from "../../model/checkpoint/checkpoint.ts";
import { cardFromMetadata } from "../../model/checkpoint/card.ts";
import { Network } from "../../model/network.ts";
import { withGpu } from "../model/harness.ts";
import { someCheckpoint } from "./checkpoints.ts";
import { decode } from "./wire.ts";

Deno.test("the metadata holds the card and says how to prepare a photo", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("compact", { classes: 2, size: 67 }));
    const checkpoint = await someCheckpoint(network);
    const model = decode(exportOnnx(checkpoint));
    const read = new TextDecoder();
    const entries = model.get(14)!.map((entry) => {
      const fields = decode(entry as Uint8Array);
      return [1, 2].map((n) => read.decode(fields.get(n)![0] as Uint8Array)) as [string, string];
    });
    const { card, extras } = cardFromMetadata(Object.fromEntries(entries));
    assertEquals(card, checkpoint.card);
    assert(
      /stretch .* 67x67 .* channels BGR; divide by 255/.test(extras.preprocessing!),
      extras.preprocessing,
    );
    assertEquals(decode(model.get(8)![0] as Uint8Array).get(2), [17]);
  }));

Deno.test("a checkpoint that does not fit its architecture is not exported", () =>
  withGpu(async (gpu) => {
    using network = new Network(gpu, architecture("compact", { classes: 2, size: 67 }));
    const good = await someCheckpoint(network);
    const refused = (
      change: Partial<Checkpoint>,
      type: typeof UserError,
      words: string,
    ) => assertThrows(() => exportOnnx({ ...good, ...change }), type, words);
    const { card, tensors } = good;
    const without = new Map([...tensors].filter(([name]) => name !== "features.5.bias"));
    refused(
      { tensors: without },
      CheckpointError,
      "Cannot export compact: features.5.bias is missing, wanted [64]",
    );
    const three = { ...card, classes: ["a", "b", "c"] };
    refused({ card: three }, CheckpointError, "classifier.1.weight has shape [2,128], wanted [3,128]");
    refused({ card: { ...card, model: "vgg" } }, UserError, "Cannot find model vgg");
    const oblong = { ...card, preprocess: { ...card.preprocess, width: 80 } };
    refused({ card: oblong }, CheckpointError, "its input is 67x80, wanted a square");
    const tiny = { ...card, preprocess: defaultPreprocess(9) };
    refused({ card: tiny }, UserError, "Cannot build compact: its input is 9x9, wanted at least 61x61");
  }));
