/**
 * The options of how training photos are drawn, varied and mixed.
 * @module
 */
import { z } from "zod";
import { AUGMENT_LEVELS, type AugmentLevel } from "../../data/augment.ts";
import { type Option, part, range } from "./option.ts";

/** How an epoch's photos are drawn: each once, or as many of every class. */
export type Sampling = "shuffled" | "balanced";

const SAMPLINGS = ["shuffled", "balanced"] as const satisfies readonly Sampling[];

/** As `RUN_OPTIONS`, of which they are a part. */
export const AUGMENTATION_OPTIONS = {
  /** How an epoch's photos are drawn. */
  sampling: z.enum(SAMPLINGS).default("shuffled").meta({
    description: "how an epoch's photos are drawn; balanced: as many of each class, rare ones repeated",
  }) as Option<Sampling>,
  /** How much training photos are varied. */
  augment: z.enum(AUGMENT_LEVELS).default("light").meta({
    description: "how much training photos are varied, where the flags that follow do not say otherwise",
  }) as Option<AugmentLevel>,
  /** Probability of mirroring left and right; absent: the level's. */
  hflip: part.optional().meta({
    description: "probability of mirroring left and right (default: by --augment)",
  }) as Option<number | undefined>,
  /** Random resized crops: part of the photo's area; absent: the level's crops. */
  cropScale: range(1).optional().meta({
    description: "random resized crops, which show a part of the photo's area in this range, such as 0.25,1",
    value: "MIN,MAX",
  }) as Option<readonly [number, number] | undefined>,
  /** Aspect ratio of random resized crops beside the photo's. */
  cropRatio: range(100).optional().meta({
    description: "aspect ratio of such crops beside the photo's (default 0.75,1.333)",
    value: "MIN,MAX",
  }) as Option<readonly [number, number] | undefined>,
  /** Range of the factor on brightness, about 1. */
  brightness: part.default(0).meta({
    description: "colour jitter: brightness by a factor of 1 give or take this",
  }) as Option<number>,
  /** Range of the factor on contrast, about 1. */
  contrast: part.default(0).meta({ description: "the same of contrast" }) as Option<number>,
  /** Range of the factor on saturation, about 1. */
  saturation: part.default(0).meta({ description: "the same of saturation" }) as Option<number>,
  /** Probability that a box is erased. */
  randomErase: part.default(0).meta({
    description: "probability that a box of the input is erased",
  }) as Option<number>,
  /** Parameter of mixup's beta distribution; 0: no mixup. */
  mixup: z.number().min(0).max(100).default(0).meta({
    description: "mixup: alpha of the beta distribution that its share is drawn from; 0: none",
  }) as Option<number>,
  /** Parameter of cutmix's beta distribution; 0: no cutmix. */
  cutmix: z.number().min(0).max(100).default(0).meta({
    description: "cutmix: alpha of the beta distribution that its share is drawn from; 0: none",
  }) as Option<number>,
  /** Share of the batches that are mixed. */
  mixProb: part.default(0.5).meta({
    description: "share of the batches that mixup or cutmix mixes",
  }) as Option<number>,
  /** Share of the mixed batches that are cut, where both are wanted. */
  mixSwitchProb: part.default(0.5).meta({
    description: "share of those that cutmix has, where both are wanted",
  }) as Option<number>,
};

/** Photos as validation sees them: what every option of variation and mixing is then. */
export const UNVARIED = {
  sampling: "shuffled",
  augment: "off",
  hflip: undefined,
  cropScale: undefined,
  cropRatio: undefined,
  brightness: 0,
  contrast: 0,
  saturation: 0,
  randomErase: 0,
  mixup: 0,
  cutmix: 0,
} as const;
