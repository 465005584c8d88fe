/**
 * The ops: each records itself into a plan and returns what it computes. `conv2d.forward(plan, { x, weight, bias })`.
 * @module
 */
export * as adaptiveAvgPool from "./adaptive_avg_pool/adaptive_avg_pool.ts";
export * as add from "./add/add.ts";
export * as avgPool from "./avg_pool/avg_pool.ts";
export * as batchNorm from "./batch_norm/batch_norm.ts";
export * as channelsLast from "./channels_last/channels_last.ts";
export * as checkFinite from "./check_finite/check_finite.ts";
export * as columns from "./columns/columns.ts";
export * as conv2d from "./conv2d/conv2d.ts";
export * as distillation from "./distillation/distillation.ts";
export * as dropout from "./dropout/dropout.ts";
export * as globalNorm from "./optimizer/global_norm.ts";
export * as localResponseNorm from "./local_response_norm/local_response_norm.ts";
export * as matmul from "./matmul/mod.ts";
export * as maxPool from "./max_pool/max_pool.ts";
export * as mix from "./mix/mix.ts";
export * as moments from "./moments/moments.ts";
export * as optimizer from "./optimizer/optimizer.ts";
export * as prelude from "./prelude/prelude.ts";
export * as preprocess from "./preprocess/preprocess.ts";
export * as relu from "./relu/relu.ts";
export * as softmaxCrossEntropy from "./softmax_cross_entropy/softmax_cross_entropy.ts";
export * as sumSplits from "./sum_splits/sum_splits.ts";
export * as window from "./prelude/window.ts";
export type { AnyTensor, DType, Gpu, Launch, Plan, Tensor } from "../mod.ts";
