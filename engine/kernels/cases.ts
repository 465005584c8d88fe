/**
 * The cases of every op: the registry. The tests run it, and so does `deno task doctor`, with those of whole networks
 * (model/cases.ts).
 * @module
 */
import type { Case } from "../verify/case.ts";
import { adaptiveAvgPoolCases } from "./adaptive_avg_pool/cases.ts";
import { addCases } from "./add/cases.ts";
import { avgPoolCases } from "./avg_pool/cases.ts";
import { batchNormCases } from "./batch_norm/cases.ts";
import { channelsLastCases } from "./channels_last/cases.ts";
import { checkFiniteCases } from "./check_finite/cases.ts";
import { columnsCases } from "./columns/cases.ts";
import { conv2dCases, linearCases } from "./conv2d/cases.ts";
import { distillationCases } from "./distillation/cases.ts";
import { dropoutCases } from "./dropout/cases.ts";
import { localResponseNormCases } from "./local_response_norm/cases.ts";
import { maxPoolCases } from "./max_pool/cases.ts";
import { mixCases } from "./mix/cases.ts";
import { momentsCases } from "./moments/cases.ts";
import { optimizerCases } from "./optimizer/cases.ts";
import { preprocessCases } from "./preprocess/cases.ts";
import { reluCases } from "./relu/cases.ts";
import { softmaxCrossEntropyCases } from "./softmax_cross_entropy/cases.ts";
import { sumSplitsCases } from "./sum_splits/cases.ts";

/** Every op's cases, one line each. */
export const KERNEL_CASES: readonly Case[] = [
  ...preprocessCases,
  ...mixCases,
  ...channelsLastCases,
  ...conv2dCases,
  ...linearCases,
  ...reluCases,
  ...addCases,
  ...maxPoolCases,
  ...avgPoolCases,
  ...adaptiveAvgPoolCases,
  ...localResponseNormCases,
  ...batchNormCases,
  ...dropoutCases,
  ...softmaxCrossEntropyCases,
  ...distillationCases,
  ...optimizerCases,
  ...sumSplitsCases,
  ...columnsCases,
  ...momentsCases,
  ...checkFiniteCases,
];
