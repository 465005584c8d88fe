/**
 * The peer of the server: the same network on TensorFlow.js' WebGPU backend behind a minimal Hono handler, as a tutorial would write
 * it. Each request is decoded (by the decoder that our server uses), resized, predicted and answered on its own.
 * Usage: serving_tfjs.ts CHECKPOINT PORT
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-webgpu";
import { Hono } from "hono";
import { decodeImage } from "../../data/image/decode.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import type { Shape } from "../../model/layer.ts";
import { describeLayers } from "../../model/network.ts";
import { channelsLast, channelsLastFilter, transposed } from "./workload.ts";

const [path, port] = Deno.args;
const { card, tensors } = await loadCheckpoint(path!);
const { preprocess, classes } = card;
if (!await tf.setBackend("webgpu")) {
  throw new Error("Cannot start TensorFlow.js: it has no WebGPU backend here");
}

type Layer = (x: tf.Tensor) => tf.Tensor;

/** The layers with the checkpoint's weights; a ReLU is computed by the layer before it, as the library advises. */
function build(): Layer[] {
  const described = describeLayers(
    architecture(card.model, { classes: classes.length, size: preprocess.height }),
    Infinity,
  );
  let input: Shape = { c: 3, h: preprocess.height, w: preprocess.width };
  return described.map(({ name, layer, output }, i) => {
    const from = input;
    input = output;
    const activation = described[i + 1]?.layer.kind === "relu" ? "relu" as const : "linear" as const;
    const { kernel = 1, stride = 1, padding = 0 } = layer.options as Record<string, number>;
    const weight = tensors.get(`${name}.weight`), bias = tensors.get(`${name}.bias`)?.data;
    switch (layer.kind) {
      case "conv2d": {
        const [o, c, kh, kw] = weight!.shape as [number, number, number, number];
        const filter = tf.tensor4d(channelsLastFilter(weight!.data, weight!.shape), [kh, kw, c, o]);
        const offset = tf.tensor1d(bias!);
        return (x) =>
          tf.fused.conv2d({
            x: x as tf.Tensor4D,
            filter,
            strides: stride,
            pad: padding,
            bias: offset,
            activation,
          });
      }
      case "linear": {
        const [out, inputs] = weight!.shape as [number, number];
        const planes = from.flattened ?? { c: inputs, h: 1, w: 1 };
        const values = transposed(channelsLast(weight!.data, out, planes), out, inputs);
        const matrix = tf.tensor2d(values, [inputs, out]), offset = tf.tensor1d(bias!);
        return (x) => tf.fused.matMul({ a: x as tf.Tensor2D, b: matrix, bias: offset, activation });
      }
      case "max_pool":
        return (x) => tf.maxPool(x as tf.Tensor4D, kernel, stride, padding);
      case "flatten":
        return (x) => x.reshape([x.shape[0]!, -1]);
      case "relu":
        return (x) => x;
      default:
        throw new Error(`Cannot build layer ${layer.kind}: the comparison has no such layer`);
    }
  });
}

const layers = build();
const mean = tf.tensor1d([...preprocess.mean]), std = tf.tensor1d([...preprocess.std]);

async function predict(bytes: Uint8Array): Promise<Float32Array> {
  const { width, height, data } = await decodeImage(bytes);
  const probabilities = tf.tidy(() => {
    const pixels = tf.browser.fromPixels({ data, width, height }, 3);
    const sized = tf.image.resizeBilinear(pixels, [preprocess.height, preprocess.width], false, true);
    const input: tf.Tensor = sized.div(255).sub(mean).div(std).expandDims(0);
    return tf.softmax(layers.reduce((x, layer) => layer(x), input) as tf.Tensor2D);
  });
  const values = await probabilities.data();
  probabilities.dispose();
  return values as Float32Array;
}

const app = new Hono();
app.get("/v2/health/ready", (c) => c.json({ ready: true }));
app.post("/predict", async (c) => {
  const values = await predict(new Uint8Array(await c.req.arrayBuffer()));
  const best = values.indexOf(Math.max(...values));
  const probabilities = Object.fromEntries(classes.map((name, k) => [name, values[k]]));
  return c.json({ class: classes[best], probability: values[best], probabilities });
});
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, app.fetch);
