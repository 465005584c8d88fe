/**
 * PyTorch's numbers for single operations: the file's schema and how its tensors become the engine's.
 * @module
 */
import type { Padding, Pair } from "../../engine/kernels/prelude/window.ts";
import { z } from "zod";
import type { Values } from "../../engine/verify/sample.ts";

const tensor = z.object({ shape: z.array(z.int().positive()), data: z.array(z.number()) }).transform((
  { shape, data },
) => ({ shape, data: Float32Array.from(data) }));
const classes = z.object({ shape: z.array(z.int()), classes: z.array(z.int()) });

const fixture = z.object({
  op: z.string(),
  name: z.string(),
  params: z.record(z.string(), z.unknown()),
  inputs: z.record(z.string(), z.union([tensor, classes])).default({}),
  y: tensor.optional(),
  dy: tensor.optional(),
  loss: z.number().optional(),
  probabilities: tensor.optional(),
  initial: tensor.optional(),
  grads: z.union([z.array(tensor), z.record(z.string(), tensor)]),
  after: z.union([z.array(tensor), z.record(z.string(), tensor)]).optional(),
});

/** One case of the file. Tensors are NCHW, weights [out, in / groups, kh, kw] or [out, in]. */
export type Fixture = z.infer<typeof fixture>;

/** The cases of a file in JSON, unpacked. */
export function parseFixtures(json: unknown): Fixture[] {
  return z.object({ cases: z.array(fixture).min(1) }).parse(json).cases;
}

/** What a gzipped JSON file holds. */
export async function unpackJson(file: Uint8Array<ArrayBuffer>): Promise<unknown> {
  return await new Response(new Blob([file]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

/** A tensor of the case; throws where the case has none of that name. */
export function tensorOf({ op, name, inputs }: Fixture, key: string): Values {
  const found = inputs[key];
  if (!found || !("data" in found)) throw new Error(`${op} ${name} has no tensor ${key}`);
  return found;
}

/** Gradients by the name of their input. */
export function gradientsOf({ op, name, grads }: Fixture): Record<string, Values> {
  if (Array.isArray(grads)) throw new Error(`${op} ${name} has a list of gradients, wanted names`);
  return grads;
}

/** What must be there. */
export function required<T>(value: T | undefined, { op, name }: Fixture, what: string): T {
  if (value === undefined) throw new Error(`${op} ${name} has no ${what}`);
  return value;
}

/** The same values with axes in another order: axis i of the result is axis `axes[i]` of `values`. */
export function permute({ shape, data }: Values, axes: readonly number[]): Values {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const to = axes.map((axis) => shape[axis]!), by = axes.map((axis) => strides[axis]!);
  const at = to.map(() => 0);
  const out = data.map(() => {
    const value = data[at.reduce((sum, i, axis) => sum + i * by[axis]!, 0)]!;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      if (++at[axis]! < to[axis]!) break;
      at[axis] = 0;
    }
    return value;
  });
  return { shape: to, data: out };
}

/** NCHW -> NHWC. */
export const toNhwc = (values: Values): Values => permute(values, [0, 2, 3, 1]);

/** Reads parameters and refuses those that nobody asked for, so that none is silently ignored. */
export class Params {
  readonly #left: Map<string, unknown>;

  constructor(readonly fixture: Fixture) {
    this.#left = new Map(Object.entries(fixture.params));
  }

  #take(key: string): unknown {
    const value = this.#left.get(key);
    this.#left.delete(key);
    return value ?? undefined;
  }

  /** A number; a pair of equal numbers counts as one. */
  number(key: string, otherwise?: number): number {
    const value = this.#take(key) ?? otherwise;
    const one = Array.isArray(value) && new Set(value).size === 1 ? value[0] : value;
    if (typeof one !== "number") this.#refuse(key, value, "a number");
    return one;
  }

  /** A pair of numbers; one number counts twice. */
  pair(key: string): [number, number] {
    const value = this.#take(key);
    const pair = typeof value === "number" ? [value, value] : value;
    if (!Array.isArray(pair) || pair.length !== 2) this.#refuse(key, value, "two numbers");
    return pair as [number, number];
  }

  /** A number, or a list of them. */
  numbers<T extends Pair | Padding>(key: string, otherwise?: T): T {
    const value = this.#take(key) ?? otherwise;
    const list = Array.isArray(value) ? value : [value];
    if (!list.every((v) => typeof v === "number")) this.#refuse(key, value, "numbers");
    return value as T;
  }

  flag(key: string): boolean {
    const value = this.#take(key) ?? false;
    if (typeof value !== "boolean") this.#refuse(key, value, "true or false");
    return value;
  }

  /** Values as a list or as a tensor. */
  values(key: string): Values | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    return z.union([
      tensor,
      z.array(z.number()).transform((list) => ({ shape: [list.length], data: Float32Array.from(list) })),
    ]).parse(value);
  }

  /** A parameter that only this value is supported of. */
  only(key: string, ...values: readonly unknown[]): void {
    const value = this.#take(key);
    if (value !== undefined && !values.some((v) => `${v}` === `${value}`)) {
      this.#refuse(key, value, values.join(" or "));
    }
  }

  /** Throws if parameters are left. */
  end(): void {
    for (const [key, value] of this.#left) this.#refuse(key, value, "no such parameter");
  }

  #refuse(key: string, value: unknown, wanted: string): never {
    const { op, name } = this.fixture;
    throw new Error(`Cannot run ${op} (${name}): ${key} is ${JSON.stringify(value)}, wanted ${wanted}`);
  }
}
