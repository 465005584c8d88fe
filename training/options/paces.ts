/**
 * Blocks that learn at a pace of their own: discriminative rates and gradual unfreezing (Howard and Ruder 2018, "Universal Language Model
 * Fine-tuning for Text Classification").
 * @module
 */
import type { Pace } from "../../engine/kernels/optimizer/optimizer.ts";
import { UserError } from "../../engine/errors.ts";
import type { RunOptions } from "./options.ts";

/** The options that say which blocks have a pace of their own. */
export type PaceOptions = Pick<RunOptions, "lrScale" | "unfreeze">;

/** `BLOCK=NUMBER` of each entry; throws a `UserError` that names the option and the entry which is wrong. */
function entries(option: string, texts: readonly string[] = []): Map<string, number> {
  const found = new Map<string, number>();
  for (const text of texts) {
    const [block = "", number = "", ...more] = text.split("="), value = Number(number);
    const wrong = block === "" || number.trim() === "" || more.length > 0 ||
      !(value >= 0 && value < Infinity);
    if (wrong || found.has(block)) {
      throw new UserError(
        `Cannot train: ${option} has "${text}", wanted BLOCK=NUMBER, such as features=0.1, each block once`,
      );
    }
    found.set(block, value);
  }
  return found;
}

/** What the options say of blocks; throws a `UserError` as `entries` does. */
export class Paces {
  readonly #scales: Map<string, number>;
  readonly #epochs: Map<string, number>;

  /** Reads the options. */
  constructor({ lrScale, unfreeze }: PaceOptions) {
    this.#scales = entries("lrScale", lrScale);
    this.#epochs = entries("unfreeze", unfreeze);
  }

  /** Blocks that are named, those within others first. */
  get blocks(): string[] {
    const all = new Set([...this.#scales.keys(), ...this.#epochs.keys()]);
    return [...all].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  }

  /** The innermost block that has the parameter of that name; empty where none has. */
  readonly groupOf = (name: string): string => this.blocks.find((block) => within(block, name)) ?? "";

  /** The pace of a block, where an epoch has so many steps: what is not said of it is said of the block around it. */
  paceOf(group: string, stepsOfEpoch: number): Pace {
    const of = (values: ReadonlyMap<string, number>) => {
      const block = this.blocks.find((block) => values.has(block) && within(block, group));
      return block === undefined ? undefined : values.get(block)!;
    };
    return { scale: of(this.#scales) ?? 1, rest: Math.round((of(this.#epochs) ?? 0) * stepsOfEpoch) };
  }

  /** Throws a `UserError` for a block that the network does not have, or whose parameters stay as they are in any case. */
  require(parameters: readonly string[], frozen: (name: string) => boolean = () => false): void {
    for (const block of this.blocks) {
      const own = parameters.filter((name) => within(block, name));
      if (own.length === 0) {
        const known = [...new Set(parameters.map((name) => name.split(".")[0]))].join(", ");
        throw new UserError(`Cannot train ${block} apart: the network has no such block, it has ${known}`);
      }
      if (own.every(frozen)) {
        throw new UserError(
          `Cannot train ${block} apart: it is frozen for good; --unfreeze alone keeps it as it is for a while`,
        );
      }
    }
  }

  /** What is trained at another pace, as lines for people. */
  get lines(): string[] {
    return this.blocks.map((block) => {
      const { scale, rest } = this.paceOf(block, 1);
      const after = rest! > 0 ? `, from epoch ${rest! + 1} on` : "";
      return `Pace      ${block}: ${scale} times the learning rate${after}`;
    });
  }
}

function within(block: string, name: string): boolean {
  return name === block || name.startsWith(`${block}.`);
}
