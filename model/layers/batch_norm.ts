/**
 * Batch normalisation as a layer.
 * @module
 */
import * as op from "../../engine/kernels/batch_norm/batch_norm.ts";
import {
  batchNormBackward,
  batchNormForward,
  batchStatistics,
} from "../../engine/kernels/batch_norm/reference.ts";
import type { Init, Layer, ParameterSpec } from "../layer.ts";

/** Options of `batchNorm`, with PyTorch's names and meaning. */
export interface BatchNormLayerOptions {
  /** C of the input. */
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
    wholeBatch: true,
    options: { channels, eps, momentum },
    fusesRelu: true,
    featureMap: "keeps",
    with: (options) => batchNorm({ channels, eps, momentum, ...options }),
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
    build(context, { tensor: x, relu: mask }, relu) {
      const { plan, accumulate } = context;
      const parameter = (name: string) => context.parameter(name)[0]!;
      const weight = parameter("weight"), bias = parameter("bias");
      const dWeight = context.gradient("weight")?.[0], dBias = context.gradient("bias")?.[0];
      const training = context.training && dWeight !== undefined;
      const keeper = training ? context.statistics : undefined;
      const statistic = (name: string) => keeper?.keep(parameter(name), momentum) ?? parameter(name);
      const running = { mean: statistic("running_mean"), variance: statistic("running_var") };
      // What is kept is the batch's own statistic: all of it, nothing of one before.
      const share = keeper ? 1 : momentum;
      const saved = op.forward(plan, {
        ...{ x, weight, bias, running, eps, relu, momentum: training ? share : undefined },
      });
      return {
        y: { tensor: saved.y, relu },
        trained: dWeight !== undefined || dBias !== undefined,
        backward(dy, wantInput) {
          if (!dWeight && !dBias && !wantInput) return undefined;
          return op.backward(plan, {
            ...{ x, dy, weight, saved, dWeight, dBias, training, mask, accumulate, wantInput },
          });
        },
      };
    },
    onnx(graph, { name, x }) {
      const parameters = ["weight", "bias", "running_mean", "running_var"].map((one) =>
        graph.parameter(`${name}.${one}`)
      );
      return graph.add("BatchNormalization", name, [x, ...parameters], { epsilon: { float: eps } });
    },
    reference({ x, shape: { c }, training, parameter }) {
      const weight = parameter("weight");
      const statistics = training ? batchStatistics(x, c) : {
        mean: Float64Array.from(parameter("running_mean")),
        variance: Float64Array.from(parameter("running_var")),
      };
      return {
        y: batchNormForward(x, weight, parameter("bias"), statistics, eps),
        backward(dy) {
          const { dx, dWeight, dBias } = batchNormBackward(
            x,
            weight,
            dy,
            statistics,
            eps,
            training !== undefined,
          );
          return { dx, gradients: { weight: dWeight, bias: dBias } };
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
