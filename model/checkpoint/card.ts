/**
 * What a checkpoint says about itself: enough to serve it from the file alone. In the file it is the strings of `__metadata__`.
 * @module
 */
import { z } from "zod";
import { type Preprocess, preprocessSchema } from "../../data/preprocess.ts";
import type { SplitRecord } from "../../data/dataset/split_record.ts";
import { CheckpointError } from "./error.ts";

/** Where weights come from; what is unknown is absent. */
export interface TrainingRecord {
  /** The run's folder. */
  run?: string | undefined;
  /** Epochs done. */
  epoch?: number | undefined;
  /** Steps done. */
  step?: number | undefined;
  /** Share of the validation photos that were recognised. */
  validationAccuracy?: number | undefined;
  /** Mean over the classes of the share of their validation photos that were recognised. */
  validationBalancedAccuracy?: number | undefined;
  /** Mean cross-entropy over the validation photos, in nats. */
  validationLoss?: number | undefined;
  /** Rows are true classes, columns predicted ones; entries count validation photos. */
  confusion?: number[][] | undefined;
  /** Update rule. */
  optimizer?: string | undefined;
  /** Highest learning rate. */
  lr?: number | undefined;
  /** L2 penalty, or the decoupled decay of adamw. */
  weightDecay?: number | undefined;
  /** Learning rate over the run. */
  schedule?: string | undefined;
  /** Steps of warm-up. */
  warmup?: number | undefined;
  /** Images in a batch. */
  batchSize?: number | undefined;
  /** Batches in a step. */
  accumulate?: number | undefined;
  /** Parts of a step, of `accumulate` batches each. */
  microBatches?: number | undefined;
}

/** What makes a model's probabilities honest (Guo et al. 2017), chosen on validation photos, which it was not trained on. */
export interface Calibration {
  /** What logits are divided by before the softmax. */
  temperature: number;
  /** Validation photos that it was chosen on. */
  photos: number;
  /** Expected calibration error on them without it. */
  eceBefore: number;
  /** The same with it, each photo by a temperature that was chosen without it. */
  eceAfter: number;
}

/** Where a score lies among validation photos: their median, and the distance between their quartiles. */
export interface Scale {
  /** The median. */
  centre: number;
  /** Positive. */
  spread: number;
}

/** When a photo counts as unknown: of no class of the model. */
export interface UnknownRule {
  /** A photo that is less familiar is unknown; see `Familiarity`. */
  threshold: number;
  /** Share of the validation photos that it refuses, at most. */
  falseRefusals: number;
  /** Validation photos that it was chosen on. */
  photos: number;
  /** Of the logits' energy. */
  energy: Scale;
  /** Of the distance to training photos, which the checkpoint has then; absent: the energy tells alone. */
  distance?: Scale | undefined;
}

/** A model's self-description. */
export interface ModelCard {
  /** Architecture name, as `--model` takes it. */
  model: string;
  /** Class names in the order of the logits. */
  classes: string[];
  /** How photos become its input. */
  preprocess: Preprocess;
  /** Number of trained scalars. */
  parameters: number;
  /** Where the weights come from; absent when unknown. */
  training?: TrainingRecord | undefined;
  /** Which photos it was trained and measured on; absent when unknown. */
  split?: SplitRecord | undefined;
  /** How its probabilities are made honest; absent: they are those of the logits. */
  calibration?: Calibration | undefined;
  /** When a photo is of none of its classes; absent: it always names one. */
  unknown?: UnknownRule | undefined;
}

const natural = z.int().nonnegative();

/** Reads a `TrainingRecord`. */
export const trainingRecordSchema: z.ZodType<TrainingRecord> = z.object({
  run: z.string(),
  epoch: natural,
  step: natural,
  validationAccuracy: z.number().min(0).max(1),
  validationBalancedAccuracy: z.number().min(0).max(1),
  validationLoss: z.number(),
  confusion: z.array(z.array(natural)),
  optimizer: z.string(),
  lr: z.number().nonnegative(),
  weightDecay: z.number().nonnegative(),
  schedule: z.string(),
  warmup: natural,
  batchSize: natural,
  accumulate: natural,
  microBatches: natural,
}).partial();

const share = z.number().min(0).max(1);

/** Reads a `Calibration`. */
export const calibrationSchema: z.ZodType<Calibration> = z.object({
  temperature: z.number().positive(),
  photos: natural,
  eceBefore: share,
  eceAfter: share,
});

const scaleSchema: z.ZodType<Scale> = z.object({ centre: z.number(), spread: z.number().positive() });

/** Reads an `UnknownRule`. */
export const unknownRuleSchema: z.ZodType<UnknownRule> = z.object({
  threshold: z.number(),
  falseRefusals: share,
  photos: natural,
  energy: scaleSchema,
  distance: scaleSchema.optional(),
});

/** Names of classes, of which no two are the same: an answer that names one would not say which. */
export const classesSchema: z.ZodType<string[]> = z.array(z.string().min(1)).min(1).superRefine(
  (classes, context) => {
    const twice = repeated(classes);
    if (twice === undefined) return;
    context.addIssue({ code: "custom", message: `it has ${JSON.stringify(twice)} twice, wanted each once` });
  },
);

/** The first name that a list has twice, or undefined. */
export function repeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** Hashes of four bytes each, in base64. */
const hashes = z.base64();

/** Reads a `SplitRecord`. */
const splitRecordSchema: z.ZodType<SplitRecord> = z.object({
  rule: z.int().positive(),
  seed: natural,
  origin: z.string(),
  train: hashes,
  valid: hashes,
  test: hashes,
  before: hashes.optional(),
  out: hashes.optional(),
  contents: z.object({ train: hashes, valid: hashes, test: hashes }).optional(),
});

/** Reads a `ModelCard`. */
export const modelCardSchema: z.ZodType<ModelCard> = z.object({
  model: z.string().min(1),
  classes: classesSchema,
  preprocess: preprocessSchema,
  parameters: natural,
  training: trainingRecordSchema.optional(),
  split: splitRecordSchema.optional(),
  calibration: calibrationSchema.optional(),
  unknown: unknownRuleSchema.optional(),
});

/** The card as strings, in the file's `__metadata__`. Throws a `CheckpointError` where two classes have one name. */
export function cardToMetadata(card: ModelCard): Record<string, string> {
  const { preprocess: p } = card;
  const twice = repeated(card.classes);
  if (twice !== undefined) {
    throw new CheckpointError(
      `Cannot write a checkpoint: its classes have ${JSON.stringify(twice)} twice, wanted each once`,
    );
  }
  return {
    format: "pt",
    model: card.model,
    classes: JSON.stringify(card.classes),
    image_size: JSON.stringify([p.height, p.width]),
    channel_order: p.channels,
    mean: JSON.stringify(p.mean),
    std: JSON.stringify(p.std),
    resize: p.resize,
    antialias: String(p.antialias),
    parameters: String(card.parameters),
    ...(card.training && { training: JSON.stringify(card.training) }),
    ...(card.split && { split: JSON.stringify(card.split) }),
    ...(card.calibration && { calibration: JSON.stringify(card.calibration) }),
    ...(card.unknown && { unknown: JSON.stringify(card.unknown) }),
  };
}

/** The card and whatever else the metadata holds; throws a `CheckpointError` that names the field. */
export function cardFromMetadata(
  metadata: Readonly<Record<string, string>>,
  name = "checkpoint",
): { card: ModelCard; extras: Record<string, string> } {
  const { format: _, model, classes, image_size, channel_order, mean, std, resize, antialias, ...rest } =
    metadata;
  const { parameters, training, split, calibration, unknown, ...extras } = rest;
  if (model === undefined) {
    throw new CheckpointError(`Cannot use ${name}: its metadata names no model, wanted a file written here`);
  }
  const size = json(image_size);
  const [height, width] = Array.isArray(size) ? size : [];
  const card = modelCardSchema.safeParse({
    model,
    classes: json(classes),
    preprocess: {
      height,
      width,
      channels: channel_order,
      resize,
      antialias: json(antialias),
      mean: json(mean),
      std: json(std),
    },
    parameters: json(parameters),
    ...(training !== undefined && { training: json(training) }),
    ...(split !== undefined && { split: json(split) }),
    ...(calibration !== undefined && { calibration: json(calibration) }),
    ...(unknown !== undefined && { unknown: json(unknown) }),
  });
  if (!card.success) {
    const { path, message } = card.error.issues[0]!;
    throw new CheckpointError(`Cannot use ${name}: ${path.join(".")} in its metadata is wrong (${message})`);
  }
  return { card: card.data, extras };
}

function json(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return text; // the schema says what is wrong with it
  }
}
