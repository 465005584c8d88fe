/**
 * The one list of cases: the tests run it, and so does `deno task doctor`.
 * @module
 */
import type { Case } from "../case.ts";
import { conv2dCases, linearCases } from "./conv2d.ts";
import { maxPoolCases } from "./max_pool.ts";
import { optimizerCases } from "./optimizers.ts";
import { reluCases } from "./relu.ts";
import { softmaxCrossEntropyCases } from "./softmax_cross_entropy.ts";

/** Every case, grouped by operation. */
export const ALL_CASES: readonly Case[] = [
  ...conv2dCases,
  ...linearCases,
  ...reluCases,
  ...maxPoolCases,
  ...softmaxCrossEntropyCases,
  ...optimizerCases,
];
