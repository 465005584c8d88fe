/**
 * Grad-CAM: which places of a photo speak for a class (Selvaraju et al. 2017).
 * @module
 */
import type { Heatmap } from "./classifier_types.ts";

/**
 * Grad-CAM (Selvaraju et al. 2017): channels of the features [h, w, c] weighted by their mean gradient, summed, negative
 * values cut off, scaled so that the largest is 1.
 */
export function gradCam(features: Float32Array, gradient: Float32Array, h: number, w: number): Heatmap {
  const channels = features.length / (h * w);
  const weights = new Float64Array(channels);
  for (let i = 0; i < gradient.length; i++) weights[i % channels]! += gradient[i]! / (h * w);
  const data = new Float32Array(h * w);
  for (let pixel = 0; pixel < h * w; pixel++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += weights[c]! * features[pixel * channels + c]!;
    data[pixel] = Math.max(0, sum);
  }
  const top = data.reduce((a, b) => Math.max(a, b), 0);
  return { width: w, height: h, data: top > 0 ? data.map((v) => v / top) : data };
}
