/**
 * The recipe for people's own photos: what a run takes where it is told no model, found by the experiments in docs/recipe.md.
 * @module
 */
/** What stands in for options that are not given: `none` leaves each at its own default. */
export type RecipeName = "none" | "photos" | "shapes";

/** Every recipe, for command lines. */
export const RECIPES = ["none", "photos", "shapes"] as const satisfies readonly RecipeName[];

/** A residual network from scratch, on varied and mixed photos, at a high rate that rises and falls once. */
const PHOTOS = {
  model: "compact-res",
  size: 128,
  startSize: 96,
  startShare: 0.7,
  lr: 0.1,
  nesterov: true,
  schedule: "one-cycle",
  pctStart: 0.2,
  weightDecay: 5e-4,
  weightDecayOn: "matrices",
  labelSmoothing: 0.05,
  ema: 0.998,
  cropScale: [0.25, 1],
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.4,
  mixup: 0.4,
} as const;

/** Drawn shapes are learnt as well from small pictures, in a fraction of the time: see docs/decisions.md. */
const SHAPES = { size: 96 } as const;

type Ingredient = keyof typeof PHOTOS;

/** The options that the recipe depends on or stands in for; `RunOptions` says what each of them is. */
type Cooked =
  & {
    readonly [K in "data" | "weights" | "optimizer" | "schedule" | "augment" | "model"]?: string | undefined;
  }
  & { readonly [K in "warmup" | "momentum" | "size"]?: number | undefined }
  & { readonly recipe?: RecipeName | undefined };

/** What of the recipe is for its own inputs, optimiser, schedule and augmentation, and goes where another is given. */
const OF_SIZE: readonly Ingredient[] = ["startSize", "startShare"];
const OF_SGD: readonly Ingredient[] = ["lr", "nesterov", "weightDecay"];
const OF_ONE_CYCLE: readonly Ingredient[] = ["pctStart"];
const OF_VARIATION: readonly Ingredient[] = ["cropScale", "brightness", "contrast", "saturation", "mixup"];

/** Photos that a run of the recipe sees, about, and the fewest and the most epochs that it takes for it. */
const LENGTH = { images: 160_000, least: 30, most: 200 };

/**
 * The options with the recipe's where they are not given. A run that is told neither a model nor weights takes `photos` for people's
 * photos and `shapes` for drawn ones; any other one `none`, unless it is told.
 */
export function withRecipe<G extends Cooked>(given: G): G & { readonly recipe: RecipeName } {
  const open = given.model === undefined && given.weights === undefined;
  const recipe = given.recipe ?? (!open ? "none" : given.data === undefined ? "shapes" : "photos");
  if (recipe === "none") return { ...given, recipe };
  if (recipe === "shapes") return { ...given, recipe, size: given.size ?? SHAPES.size };
  const resizes = given.size === undefined && (given.model ?? PHOTOS.model) === PHOTOS.model;
  const left = new Set<string>([
    ...resizes ? [] : OF_SIZE,
    ...(given.optimizer ?? "sgd") === "sgd" ? [] : OF_SGD,
    ...(given.schedule ?? PHOTOS.schedule) === PHOTOS.schedule && given.warmup === undefined
      ? []
      : OF_ONE_CYCLE,
    ...given.augment === undefined ? [] : OF_VARIATION,
    ...given.momentum === 0 ? ["nesterov"] : [],
  ]);
  const taken = Object.entries(PHOTOS).filter(([key]) =>
    !left.has(key) && given[key as keyof Cooked] === undefined
  );
  return { ...given, recipe, ...Object.fromEntries(taken) };
}

/** What the recipe for photos takes, as flags, for a help text. */
export const recipeText = (): string => flagsText(PHOTOS);

/** What the one for shapes takes. */
export const shapesText = (): string => flagsText(SHAPES);

function flagsText(options: Readonly<Record<string, unknown>>): string {
  const flag = (key: string) => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return Object.entries(options).map(([key, value]) => value === true ? flag(key) : `${flag(key)} ${value}`)
    .join(" ");
}

/** Epochs of a run of the recipe on that many photos. */
export function recipeEpochs(photos: number): number {
  return Math.min(LENGTH.most, Math.max(LENGTH.least, Math.round(LENGTH.images / photos)));
}

/** What the recipe is, as a line for people; undefined where there is none. */
export function recipeLine(
  { recipe, model, size, startSize, mixup, cropScale }: {
    readonly recipe: RecipeName;
    readonly model: string;
    readonly size: number;
    readonly startSize: number | undefined;
    readonly mixup: number;
    readonly cropScale: readonly [number, number] | undefined;
  },
): string | undefined {
  if (recipe !== "photos") return undefined;
  const varied = [...cropScale ? ["resized crops"] : [], ...mixup > 0 ? ["mixup"] : []];
  const first = startSize === undefined || startSize === size ? "" : `${startSize}x${startSize}, then `;
  return `Recipe    ${recipe}: ${model} at ${first}${size}x${size}${
    varied.length > 0 ? `, ${varied.join(" and ")}` : ""
  } (docs/recipe.md); --recipe none leaves it`;
}
