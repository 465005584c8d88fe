/**
 * A layer of one's own on top of the existing ops: anti-aliased downsampling ("Making convolutional networks shift-invariant again",
 * Zhang 2019). Each channel is convolved with a fixed 3x3 binomial filter, two pixels apart; nothing is trained.
 * @module
 */
import { conv2d, type Tensor } from "@alexnet-webgpu/alexnet-webgpu/kernels";
import { alignTo4, writeTensor } from "@alexnet-webgpu/alexnet-webgpu/engine";
import type { Layer } from "@alexnet-webgpu/alexnet-webgpu/model";

/** 1 2 1 in both directions, over 16. */
const FILTER = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((v) => v / 16);

/** [C, H, W] -> [C, ceil(H / 2), ceil(W / 2)]; beyond the edges lie zeros. */
export function blurPool(): Layer {
  const half = (size: number) => Math.ceil(size / 2);
  return {
    kind: "blur_pool",
    options: {},
    describe: ({ c, h, w }) => ({ output: { c, h: half(h), w: half(w) }, parameters: [] }),
    build({ plan }, x) {
      const c = x.tensor.shape[3]!;
      // The ops' weights are dense, [KH, KW, in, out] with the input channels rounded up to four, and zero between the groups.
      const pitch = alignTo4(c), weight: Tensor = plan.tensor([3, 3, pitch, c], "blur filter");
      const values = new Float32Array(weight.size);
      FILTER.forEach((v, tap) => {
        for (let i = 0; i < c; i++) values[(tap * pitch + i) * c + i] = v;
      });
      writeTensor(plan.gpu, weight, values);
      const shared = { x: x.tensor, weight, stride: 2, padding: 1, groups: c };
      return {
        y: { tensor: conv2d.forward(plan, shared), relu: false },
        trained: false,
        backward: (dy, wantInput) =>
          wantInput ? conv2d.inputGrad(plan, { ...shared, dy, mask: x.relu }) : undefined,
      };
    },
    // In plain loops, so that `referenceStep` and with it `checkNetwork` below can prove the layer on any adapter.
    reference({ x, n, shape: { c, h, w } }) {
      const oh = half(h), ow = half(w);
      const each = (visit: (from: number, to: number, weight: number) => void) => {
        for (let i = 0; i < n * oh * ow * c; i++) {
          const channel = i % c, column = Math.floor(i / c) % ow, line = Math.floor(i / (c * ow));
          const row = line % oh, image = Math.floor(line / oh);
          FILTER.forEach((weight, tap) => {
            const r = row * 2 - 1 + Math.floor(tap / 3), s = column * 2 - 1 + tap % 3;
            if (r >= 0 && r < h && s >= 0 && s < w) visit(((image * h + r) * w + s) * c + channel, i, weight);
          });
        }
      };
      const y = new Float64Array(n * oh * ow * c);
      each((from, to, weight) => y[to]! += x[from]! * weight);
      return {
        y,
        backward(dy) {
          const dx = new Float64Array(x.length);
          each((from, to, weight) => dx[from]! += dy[to]! * weight);
          return { dx };
        },
      };
    },
  };
}
