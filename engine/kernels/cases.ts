/**
 * The one list of cases: the tests run it, and so does `deno task doctor`.
 * @module
 */
import type { Case } from "../verify/case.ts";
import { adaptiveAvgPoolCases } from "./adaptive_avg_pool/cases.ts";
import { arenaCases } from "./arena_cases.ts";
import { batchNormCases } from "./batch_norm/cases.ts";
import { channelsLastCases } from "./channels_last/cases.ts";
import { conv2dCases, linearCases } from "./conv2d/cases.ts";
import { dropoutCases } from "./dropout/cases.ts";
import { responseNormCases } from "./local_response_norm/cases.ts";
import { maxPoolCases } from "./max_pool/cases.ts";
import { networkCases } from "../../model/cases.ts";
import { optimizerCases } from "./optimizer/cases.ts";
import { photoInputCases } from "./preprocess/cases.ts";
import { reluCases } from "./relu/cases.ts";
import { softmaxCrossEntropyCases } from "./softmax_cross_entropy/cases.ts";

/** Every case, grouped by operation. */
export const ALL_CASES: readonly Case[] = [
  ...photoInputCases,
  ...channelsLastCases,
  ...conv2dCases,
  ...linearCases,
  ...reluCases,
  ...maxPoolCases,
  ...adaptiveAvgPoolCases,
  ...responseNormCases,
  ...batchNormCases,
  ...dropoutCases,
  ...softmaxCrossEntropyCases,
  ...optimizerCases,
  ...arenaCases,
  ...networkCases,
];
