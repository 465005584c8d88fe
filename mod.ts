/**
 * AlexNet on WebGPU, from training to serving: the public surface.
 *
 * ```ts
 * import { DecoderPool, decodeSide, loadClassifier } from "./mod.ts";
 *
 * const classifier = await loadClassifier("runs/my-run/best.safetensors");
 * await using pool = new DecoderPool();
 * const bytes = await Deno.readFile("photo.jpg");
 * const photo = await pool.decode(bytes, { shorterSide: decodeSide(classifier.card.preprocess) });
 * const [answer] = await classifier.classify([photo]);
 * classifier.card.classes.forEach((name, i) => console.log(name, answer!.probabilities[i]));
 * await classifier.close();
 * ```
 * @module
 */
export * from "./engine/mod.ts";
export * as kernels from "./engine/kernels/mod.ts";
export * from "./model/mod.ts";
export * from "./training/mod.ts";
export * from "./data/mod.ts";
