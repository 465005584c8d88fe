/**
 * What somebody meant who wrote a flag that there is not.
 * @module
 */
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/**
 * Words that other programs use (torchvision's references, timm, Ultralytics, Keras, Hugging Face), by the flags that mean the same here, the
 * likeliest first. Only words that are not near enough to be found anyway.
 */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  "architecture": ["model"],
  "arch": ["model"],
  "aug": ["augment"],
  "b": ["batch-size", "max-batch"],
  "backbone": ["model"],
  "batch": ["batch-size", "max-batch"],
  "batch-size": ["max-batch"],
  "bs": ["batch-size", "max-batch"],
  "ckpt": ["checkpoint"],
  "clip-grad": ["clip-norm"],
  "clip-grad-norm": ["clip-norm"],
  "data-augmentation": ["augment"],
  "data-dir": ["data"],
  "data-path": ["data"],
  "dataset": ["data"],
  "decay": ["weight-decay"],
  "finetune": ["weights"],
  "grad-accum": ["accumulate"],
  "grad-clip": ["clip-norm"],
  "gradient-accumulation-steps": ["accumulate"],
  "image-size": ["size"],
  "img": ["size"],
  "img-size": ["size"],
  "imgsz": ["size"],
  "input-size": ["size"],
  "iterations": ["steps"],
  "iters": ["steps"],
  "j": ["workers"],
  "l2": ["weight-decay"],
  "learning-rate": ["lr"],
  "lr-scheduler": ["schedule"],
  "lr0": ["lr"],
  "manual-seed": ["seed"],
  "max-grad-norm": ["clip-norm"],
  "max-iter": ["steps"],
  "max-steps": ["steps"],
  "model": ["checkpoint"],
  "model-path": ["checkpoint"],
  "name": ["out"],
  "names": ["classes"],
  "num-epochs": ["epochs"],
  "num-workers": ["workers"],
  "opt": ["optimizer"],
  "output": ["out"],
  "output-dir": ["out"],
  "pretrained": ["weights"],
  "project": ["out"],
  "resolution": ["size"],
  "rho": ["alpha"],
  "save-dir": ["out"],
  "save-freq": ["save-every"],
  "save-period": ["save-every"],
  "save-steps": ["save-every"],
  "scheduler": ["schedule"],
  "smoothing": ["label-smoothing"],
  "source": ["data"],
  "threads": ["workers"],
  "train-dir": ["data"],
  "warmup-epochs": ["warmup"],
  "warmup-steps": ["warmup"],
  "wd": ["weight-decay"],
  "weights": ["checkpoint"],
};

const ADAPTER =
  "the system chooses the adapter, which `deno task doctor` names; on Linux, VK_DRIVER_FILES set to " +
  "a driver's manifest chooses another";

/** Words of other programs that no command here has a flag for, and what to say of them. */
const NOWHERE: Readonly<Record<string, string>> = {
  "cpu": ADAPTER,
  "cuda": ADAPTER,
  "device": ADAPTER,
  "devices": ADAPTER,
  "gpu": ADAPTER,
  "gpus": ADAPTER,
};

/** What to say of an unknown flag that is known elsewhere: what the command has to say, else what all of them have; undefined: nothing. */
export function hintFor(rawName: string, hints: Readonly<Record<string, string>> = {}): string | undefined {
  const plain = kebabCase(rawName.replace(/^-+/, ""));
  return [hints, NOWHERE].find((texts) => Object.hasOwn(texts, plain))?.[plain];
}

/** The flag of `known` (in kebab case, without dashes) that `name` means in other programs, begins, or is a slip of the pen away from. */
export function nearestFlag(name: string, known: readonly string[]): string | undefined {
  const plain = kebabCase(name);
  if (known.includes(plain)) return plain; // another spelling: --batch_size, --batchSize
  const elsewhere = Object.hasOwn(ELSEWHERE, plain)
    ? ELSEWHERE[plain]!.find((flag) => known.includes(flag))
    : undefined;
  if (elsewhere !== undefined) return elsewhere;
  const longer = known.filter((flag) => flag.startsWith(`${plain}-`));
  if (longer.length === 1) return longer[0];
  const [nearest] = known.map((flag) => ({ flag, distance: levenshteinDistance(plain, flag) }))
    .filter(({ flag, distance }) =>
      distance <= Math.max(1, Math.floor(Math.min(plain.length, flag.length) / 3))
    )
    .sort((a, b) => a.distance - b.distance);
  // Of a word of two letters, every other one is near.
  return plain.length > 2 ? nearest?.flag : undefined;
}

/** `maxBatch`, `max_batch` and `MAX-BATCH` as flags are written: `max-batch`. */
export function kebabCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").replaceAll("_", "-").toLowerCase();
}
