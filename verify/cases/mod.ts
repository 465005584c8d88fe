/**
 * The one list of cases: the tests run it, and so does `deno task doctor`.
 * @module
 */
import type { Case } from "../case.ts";
import { adaptiveAvgPoolCases } from "./adaptive_avg_pool.ts";
import { arenaCases } from "./arenas.ts";
import { batchNormCases } from "./batch_norm.ts";
import { channelsLastCases } from "./channels_last.ts";
import { conv2dCases, linearCases } from "./conv2d.ts";
import { dropoutCases } from "./dropout.ts";
import { responseNormCases } from "./local_response_norm.ts";
import { maxPoolCases } from "./max_pool.ts";
import { networkCases } from "./network.ts";
import { optimizerCases } from "./optimizers.ts";
import { photoInputCases } from "./photo_input.ts";
import { reluCases } from "./relu.ts";
import { softmaxCrossEntropyCases } from "./softmax_cross_entropy.ts";

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
