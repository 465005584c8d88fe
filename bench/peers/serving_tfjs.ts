/**
 * The peer of the server: the same network on TensorFlow.js' WebGPU backend behind a minimal Hono handler, as a tutorial would write
 * it. Each request is decoded (by the decoder that our server uses), resized, predicted and answered on its own.
 * Usage: serving_tfjs.ts CHECKPOINT PORT
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { Hono } from "hono";
import { decodeImage } from "../../data/image/decode.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { loadCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { layer, startTfjs } from "./tfjs.ts";
import { neutralLayers } from "./workload.ts";

const [path, port] = Deno.args;
const { card, tensors } = await loadCheckpoint(path!);
const { preprocess, classes } = card;
await startTfjs();

const built = architecture(card.model, { classes: classes.length, size: preprocess.height });
const layers = neutralLayers(built, (name) => tensors.get(name)!.data).map(layer);
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
  const probabilities = classes.map((name, k) => ({ class: name, probability: values[k]! }))
    .sort((a, b) => b.probability - a.probability);
  return c.json({ class: classes[best], probability: values[best], probabilities });
});
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, app.fetch);
