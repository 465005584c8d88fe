/**
 * Runs PyTorch's cases through the kernels.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import { IGNORE_LABEL } from "../../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { type Check, compare } from "../../engine/verify/case.ts";
import { adaptiveAvgPoolOperation } from "../../engine/kernels/adaptive_avg_pool/cases.ts";
import { batchNormOperation } from "../../engine/kernels/batch_norm/cases.ts";
import { conv2dOperation } from "../../engine/kernels/conv2d/cases.ts";
import { localResponseNormOperation } from "../../engine/kernels/local_response_norm/cases.ts";
import { maxPoolOperation } from "../../engine/kernels/max_pool/cases.ts";
import type { Padding, Pair } from "../../engine/kernels/prelude/window.ts";
import { reluOperation } from "../../engine/kernels/relu/cases.ts";
import { lossOnDevice, meanLoss } from "../../engine/kernels/softmax_cross_entropy/cases.ts";
import { paddingChecks } from "../../engine/verify/device.ts";
import { checkProblem, type Operation } from "../../engine/verify/differentiable.ts";
import type { Values } from "../../engine/verify/sample.ts";
import { type Fixture, gradientsOf, Params, permute, required, tensorOf, toNhwc } from "./fixture.ts";
import { optimizer } from "./optimizer.ts";

/** Allowed normalised error, as the reference numbers are stored in float32. */
const TOLERANCE = 1e-5;

/** Computes the case on the device and compares all it gives. Throws for an operation or a parameter it does not know. */
export function runFixture(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const run = Object.hasOwn(OPERATIONS, fixture.op) ? OPERATIONS[fixture.op] : undefined;
  if (!run) {
    throw new Error(`Cannot run ${fixture.op} (${fixture.name}): no operation of that name is known here`);
  }
  return run(gpu, fixture);
}

const OPERATIONS: Readonly<Record<string, (gpu: Gpu, fixture: Fixture) => Promise<Check[]>>> = {
  conv2d,
  linear,
  max_pool2d: maxPool,
  adaptive_avg_pool2d: (gpu, fixture) => {
    const params = new Params(fixture), output = params.pair("output");
    params.end();
    return images(gpu, fixture, adaptiveAvgPoolOperation(output));
  },
  relu: (gpu, fixture) => {
    new Params(fixture).end();
    return differentiable(gpu, fixture, reluOperation, { x: (v) => v }, (v) => v);
  },
  local_response_norm: (gpu, fixture) => {
    const p = new Params(fixture);
    const options = {
      size: p.number("size"),
      alpha: p.number("alpha", 1e-4),
      beta: p.number("beta", 0.75),
      k: p.number("k", 1),
    };
    p.end();
    return images(gpu, fixture, localResponseNormOperation(options));
  },
  batch_norm2d_train: (gpu, fixture) => batchNorm(gpu, fixture, true),
  batch_norm2d_eval: (gpu, fixture) => batchNorm(gpu, fixture, false),
  softmax_cross_entropy: softmaxCrossEntropy,
  optimizer,
};

/** How each input is arranged for the kernels. */
type Arrangements = Readonly<Record<string, (values: Values) => Values>>;

const same = (values: Values) => values;

async function differentiable(
  gpu: Gpu,
  fixture: Fixture,
  operation: Operation,
  arrange: Arrangements,
  output: (values: Values) => Values,
  extra: { inputs?: Record<string, Values>; outputs?: Record<string, Float32Array> } = {},
): Promise<Check[]> {
  const each = (values: Record<string, Values>) =>
    Object.fromEntries(
      Object.entries(arrange).filter(([key]) => key in values).map(([key, f]) => [key, f(values[key]!)]),
    );
  const given = Object.fromEntries(Object.keys(fixture.inputs).map((key) => [key, tensorOf(fixture, key)]));
  const gradients = Object.entries(each(gradientsOf(fixture))).map(([key, v]) => [key, v.data]);
  return await checkProblem(gpu, `${fixture.op} ${fixture.name}`, {
    operation,
    inputs: { ...each(given), ...extra.inputs },
    dy: output(required(fixture.dy, fixture, "dy")).data,
    expected: {
      y: output(required(fixture.y, fixture, "y")).data,
      gradients: Object.fromEntries(gradients),
      outputs: extra.outputs ?? {},
    },
    tolerance: TOLERANCE,
    slopes: [],
  });
}

function images(gpu: Gpu, fixture: Fixture, operation: Operation): Promise<Check[]> {
  return differentiable(gpu, fixture, operation, { x: toNhwc }, toNhwc);
}

function conv2d(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const p = new Params(fixture);
  const options = {
    stride: p.numbers<Pair>("stride", 1),
    padding: p.numbers<Padding>("padding", 0),
    dilation: p.numbers<Pair>("dilation", 1),
    groups: p.number("groups", 1),
  };
  p.end();
  const weight = (values: Values) => permute(values, [2, 3, 1, 0]);
  const operation = conv2dOperation(weight(tensorOf(fixture, "weight")).shape, options);
  return differentiable(gpu, fixture, operation, { x: toNhwc, weight, bias: same }, toNhwc);
}

function linear(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  new Params(fixture).end();
  const rows = ({ shape: [n, i], data }: Values): Values => ({ shape: [n!, 1, 1, i!], data });
  const weight = (values: Values) => {
    const { shape, data } = permute(values, [1, 0]);
    return { shape: [1, 1, ...shape], data };
  };
  const operation = conv2dOperation(weight(tensorOf(fixture, "weight")).shape, {});
  return differentiable(gpu, fixture, operation, { x: rows, weight, bias: same }, rows);
}

function maxPool(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const p = new Params(fixture);
  const kernel = p.numbers<Pair>("kernel");
  const options = {
    kernel,
    stride: p.numbers<Pair>("stride", kernel),
    padding: p.numbers<Padding>("padding", 0),
    dilation: p.numbers<Pair>("dilation", 1),
    ceilMode: p.flag("ceil_mode"),
  };
  p.end();
  return images(gpu, fixture, maxPoolOperation(options));
}

function batchNorm(gpu: Gpu, fixture: Fixture, training: boolean): Promise<Check[]> {
  const p = new Params(fixture);
  const eps = p.number("eps", 1e-5), momentum = p.number("momentum", 0.1);
  const mean = required(p.values("running_mean"), fixture, "running_mean");
  const variance = required(p.values("running_var"), fixture, "running_var");
  p.end();
  const after = fixture.after && !Array.isArray(fixture.after) ? fixture.after : {};
  if (training) required(fixture.after, fixture, "after");
  const outputs = {
    mean: (after.running_mean ?? mean).data,
    variance: (after.running_var ?? variance).data,
  };
  const operation = batchNormOperation({ eps, momentum: training ? momentum : undefined });
  const extra = { inputs: { mean, variance }, outputs };
  return differentiable(gpu, fixture, operation, { x: toNhwc, weight: same, bias: same }, toNhwc, extra);
}

async function softmaxCrossEntropy(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const p = new Params(fixture);
  p.only("reduction", "mean");
  const ignore = p.number("ignore_index", -100), smoothing = p.number("label_smoothing", 0);
  const weights = p.values("weight")?.data ?? p.values("class_weights")?.data;
  p.end();
  const logits = tensorOf(fixture, "logits"), target = required(fixture.inputs.target, fixture, "target");
  const problem = {
    logits,
    smoothing,
    ...(weights ? { weights } : {}),
    ...("classes" in target
      ? { labels: target.classes.map((c) => c === ignore ? IGNORE_LABEL : c) }
      : { soft: target.data }),
  };
  const [found] = await lossOnDevice(gpu, problem, [logits]);
  const { result, dLogits, probabilities } = found!;
  return [
    ...paddingChecks({ result, dLogits, probabilities }),
    compare("loss", [meanLoss(found!)], [required(fixture.loss, fixture, "loss")], TOLERANCE),
    compare(
      "dlogits",
      dLogits.values,
      required(gradientsOf(fixture).logits, fixture, "gradient").data,
      TOLERANCE,
    ),
    ...(fixture.probabilities
      ? [compare("probabilities", probabilities.values, fixture.probabilities.data, TOLERANCE)]
      : []),
  ];
}
