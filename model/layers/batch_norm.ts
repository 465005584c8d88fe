/** @module */
import {
  batchNormBackward,
  batchNormForward,
  batchNormPartials,
  batchNormRunning,
  batchNormStatistics,
} from "../../engine/kernels/batch_norm/batch_norm.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init, Layer, ParameterSpec } from "../layer.ts";

/** Options of `batchNorm`, with PyTorch's names and meaning. */
export interface BatchNormLayerOptions {
  readonly channels: number;
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
  /** Share of the batch's statistics in the new running ones; default 0.1. */
  readonly momentum?: number;
}

/**
 * Every channel normalised by the batch's mean and variance (training) or the running ones (inference), then scaled
 * and shifted. PyTorch's `BatchNorm2d`, except that frozen means frozen: a layer whose weight is not trained uses its
 * running statistics in training too, and leaves them alone.
 */
export function batchNorm({ channels, eps = 1e-5, momentum = 0.1 }: BatchNormLayerOptions): Layer {
  return {
    kind: "batch_norm",
    options: { channels, eps, momentum },
    fusesRelu: true,
    describe(input) {
      if (input.c !== channels) {
        throw new RangeError(
          `Cannot build batch_norm: input has ${input.c} channels, weights expect ${channels}`,
        );
      }
      return {
        output: input,
        parameters: [
          perChannel("weight", channels, "ones", true),
          perChannel("bias", channels, "zeros", true),
          perChannel("running_mean", channels, "zeros", false),
          perChannel("running_var", channels, "ones", false),
        ],
      };
    },
    build(step, x, relu) {
      const { plan } = step;
      const parameter = (name: string) => step.parameter(name)[0]!;
      const weight = parameter("weight"), bias = parameter("bias");
      const running = { mean: parameter("running_mean"), variance: parameter("running_var") };
      const dWeight = step.gradient("weight")?.[0], dBias = step.gradient("bias")?.[0];
      const training = step.training && dWeight !== undefined;

      const statistics = plan.tensor([2, channels]);
      let partials: Tensor | undefined; // shared by both passes
      if (training) {
        partials = plan.tensor(batchNormPartials(x.tensor));
        plan.add(...batchNormStatistics(x.tensor, partials, statistics, running, { eps, momentum }));
      } else plan.add(batchNormRunning(running, statistics, { eps }));
      const y = plan.tensor(x.tensor.shape);
      plan.add(batchNormForward(x.tensor, statistics, weight, bias, y, { relu }));
      return {
        y: { tensor: y, relu },
        backward(dy, wantInput) {
          if (!dWeight && !dBias && !wantInput) return undefined;
          const scratch = () => plan.tensor([channels]);
          const dx = wantInput ? plan.tensor(x.tensor.shape) : undefined;
          plan.add(...batchNormBackward({
            x: x.tensor,
            dy,
            statistics,
            weight,
            partials: partials ?? plan.tensor(batchNormPartials(x.tensor)),
            sums: plan.tensor([2, channels]),
            dWeight: dWeight ?? scratch(),
            dBias: dBias ?? scratch(),
            dx,
          }, { training, mask: x.relu, accumulate: step.accumulate }));
          return dx;
        },
      };
    },
  };
}

function perChannel(
  name: string,
  channels: number,
  init: Init["kind"] & ("ones" | "zeros"),
  trained: boolean,
): ParameterSpec {
  const indices = () => Int32Array.from({ length: channels }, (_, i) => i);
  return { name, shape: [channels], init: { kind: init }, trained, parts: [{ shape: [channels], indices }] };
}
