/**
 * Which batches are mixed and how: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019). Everything drawn is a function of (seed, number
 * of the batch), so a run that goes on mixes as it would have.
 * @module
 */
import type { Size } from "../../data/preprocess.ts";
import { encodePair, type MixPair, mixSamples, PAIR_WORDS } from "../../engine/kernels/mix/mix.ts";
import type { Plan } from "../../engine/plan.ts";
import { normal, Stream, uniform } from "../../engine/random.ts";
import { type Tensor, writeTensor } from "../../engine/tensor.ts";
import type { Label, MixedLabels } from "../../model/training_step.ts";

/** How batches are mixed. */
export interface MixOptions {
  /** Both parameters of the beta distribution that mixup's share is drawn from; 0: no mixup. */
  readonly mixup: number;
  /** The same for cutmix's. */
  readonly cutmix: number;
  /** Share of the batches that are mixed at all. */
  readonly mixProb: number;
  /** Where both are wanted, share of the mixed batches that are cut. */
  readonly mixSwitchProb: number;
}

/** How one batch is mixed. */
export interface BatchMix {
  /** Weight of each sample's own label; its partner's has the rest. */
  readonly labelShare: number;
  /** What all samples' records have alike. */
  readonly pair: Omit<MixPair, "partner">;
}

/** Whether these options ever mix a batch. */
export function mixes({ mixup, cutmix, mixProb }: MixOptions): boolean {
  return mixProb > 0 && (mixup > 0 || cutmix > 0);
}

/** How the batch of that number is mixed, whose inputs have that size; undefined: it stays as it is. */
export function batchMix(options: MixOptions, seed: number, batch: number, size: Size): BatchMix | undefined {
  const { mixup, cutmix, mixProb, mixSwitchProb } = options;
  const draw = (index: number) => uniform(seed, Stream.mix, index, batch);
  if (!mixes(options) || draw(0) >= mixProb) return undefined;
  const cut = cutmix > 0 && (mixup === 0 || draw(1) < mixSwitchProb);
  const own = beta(cut ? cutmix : mixup, seed, batch);
  if (!cut) return { labelShare: own, pair: { share: own } };
  // The box has the output's own aspect ratio; where it leaves the input, the labels' shares follow what is left of it.
  const part = Math.sqrt(1 - own);
  const span = (length: number, at: number) => {
    const centre = Math.floor(at * length), half = Math.floor(length * part / 2);
    return [Math.max(0, centre - half), Math.min(length, centre + half)] as const;
  };
  const [x0, x1] = span(size.width, draw(2)), [y0, y1] = span(size.height, draw(3));
  const labelShare = 1 - (x1 - x0) * (y1 - y0) / (size.width * size.height);
  return { labelShare, pair: { share: 1, box: { x0, y0, x1, y1 } } };
}

/** Numbers of the batch's draws above are below it. */
const BETA_DRAWS = 16;

/** A number from the beta distribution with both parameters `alpha`: the share of one of two gamma variables in their sum. */
function beta(alpha: number, seed: number, batch: number): number {
  let at = BETA_DRAWS;
  const next = () => at++;
  const a = gamma(alpha, seed, batch, next), b = gamma(alpha, seed, batch, next);
  // Both round to 0 for an alpha near 0, where the distribution has all its weight at the ends.
  return a + b > 0 ? a / (a + b) : Math.round(uniform(seed, Stream.mix, next(), batch));
}

/** A gamma variable of that shape and scale 1 (Marsaglia and Tsang 2000); `next` gives the number of the next draw. */
function gamma(shape: number, seed: number, batch: number, next: () => number): number {
  const draw = () => 1 - uniform(seed, Stream.mix, next(), batch); // over 0
  if (shape < 1) return gamma(shape + 1, seed, batch, next) * draw() ** (1 / shape);
  const d = shape - 1 / 3, c = 1 / Math.sqrt(9 * d);
  while (true) {
    // A normal number is made of the uniforms at twice its index and one after.
    const at = next();
    const x = normal(seed, Stream.mixNormal, at, batch), v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(draw()) < x * x / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** Mixes a batch on the device, and says which labels it then has. */
export class BatchMixer {
  readonly #pairs: Tensor<"u32">;
  readonly #size: Size;

  /** Records the launch that makes y of x, both [N, H, W, C]. */
  constructor(
    readonly plan: Plan,
    readonly tensors: { readonly x: Tensor; readonly y: Tensor },
    readonly options: MixOptions,
    readonly seed: number,
  ) {
    const [batch, height, width] = tensors.x.shape as [number, number, number];
    this.#size = { width, height };
    this.#pairs = plan.integers([batch, PAIR_WORDS], "mixed pairs");
    mixSamples(plan, { ...tensors, pairs: this.#pairs });
  }

  /** Writes how the batch of that number is mixed, whose samples have these labels; returns what else they are labelled with. */
  write(labels: readonly Label[], batch: number): MixedLabels | undefined {
    const mix = batchMix(this.options, this.seed, batch, this.#size);
    const rows = this.tensors.x.shape[0]!, records = new Uint32Array(rows * PAIR_WORDS);
    // Samples beyond the labels count for nothing and stay as they are. A batch is shuffled: its reverse pairs at random.
    const partnerOf = (n: number) => mix && n < labels.length ? labels.length - 1 - n : n;
    for (let n = 0; n < rows; n++) {
      encodePair({ share: 1, ...mix?.pair, partner: partnerOf(n) }, records, n * PAIR_WORDS);
    }
    writeTensor(this.plan.gpu, this.#pairs, records);
    return mix && { share: mix.labelShare, others: labels.toReversed() };
  }
}
