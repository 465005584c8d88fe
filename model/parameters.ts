/**
 * A network's parameters in device memory: packed into a few large buffers (arenas), so that one launch updates
 * many of them, however they are cut into tensors.
 * @module
 */
import type { Gpu } from "../engine/device.ts";
import { createTensor, destroyTensor, layoutOf, readTensors, Tensor, writeRows } from "../engine/tensor.ts";
import { initialValues } from "./init.ts";
import type { ParameterSpec } from "./layer.ts";

/** A parameter with its full name (`features.0.weight`) and its device tensors. */
export interface Parameter {
  /** Full name, such as `features.0.weight`. */
  readonly name: string;
  /** What the layer says about it. */
  readonly spec: ParameterSpec;
  /** Device tensors, one per part of the spec. */
  readonly tensors: readonly Tensor[];
  /** Which arena each of them lies in. */
  readonly arenas: readonly number[];
}

/** One tensor for each arena that has one, in the arenas' order: gradients, optimiser state, averages. */
export type ArenaTensors = readonly (Tensor | undefined)[];

/** A buffer that holds many parts. Arenas of frozen parameters and statistics get no gradient. */
export interface Arena {
  /** The whole buffer as one row. */
  readonly values: Tensor;
  /** Whether its parameters get gradients. */
  readonly trained: boolean;
  /** Whether its parameters are matrices and kernels, which weight decay is for; else they are biases, scales and statistics. */
  readonly matrices: boolean;
  /** Whose pace in training its parameters have; empty: that of the step. */
  readonly group: string;
}

/** One named parameter of a layer, before it has memory. */
export interface NamedSpec {
  /** Full name, such as `features.0.weight`. */
  readonly name: string;
  /** What the layer says about it. */
  readonly spec: ParameterSpec;
}

/** Elements that are brought into the device's order in one step: a twentieth of a second's work. */
const STEP = 2 ** 20;

/** Owns the parameters of one network. */
export class ParameterStore implements Disposable {
  /** The buffers that hold them. */
  readonly arenas: readonly Arena[];
  /** In the order of the layers. */
  readonly all: readonly Parameter[];
  readonly #byName: Map<string, Parameter>;

  /** Allocates without initial values. `frozen` says which names to leave out of training, `groupOf` which share an arena. */
  constructor(
    readonly gpu: Gpu,
    specs: readonly NamedSpec[],
    frozen: (name: string) => boolean = () => false,
    groupOf: (name: string) => string = () => "",
  ) {
    const places = layOut(gpu, specs, frozen, groupOf);
    this.arenas = places.arenas.map(({ length, ...kind }, i) => ({
      values: createTensor(gpu, `parameters.${i}`, [length]),
      ...kind,
    }));
    this.all = places.slots.map(({ name, spec, places }) => ({
      name,
      spec,
      arenas: places.map((p) => p.arena),
      tensors: spec.parts.map((part, i) => {
        const { arena, offset } = places[i]!;
        return new Tensor(name, [...part.shape], "f32", this.arenas[arena]!.values.buffer, offset);
      }),
    }));
    this.#byName = new Map(this.all.map((p) => [p.name, p]));
  }

  /** The parameter of that name; throws `RangeError` for a name the network does not have. */
  get(name: string): Parameter {
    const found = this.#byName.get(name);
    if (!found) throw new RangeError(`Cannot find parameter ${name}: the network has none of that name`);
    return found;
  }

  /** Number of scalars that training changes (frozen ones included, running statistics not). */
  get count(): number {
    return this.all.filter((p) => p.spec.trained).reduce((sum, p) => sum + product(p.spec.shape), 0);
  }

  /** Draws every parameter's first values from the seed. */
  initialise(seed: number): void {
    for (const p of this.all) this.write(p.name, initialValues(p.spec, p.name, seed));
  }

  /**
   * Sets a parameter from values in PyTorch's order. `arenas`: others of the same layout, as for `read`; of what they leave out
   * nothing is written.
   */
  write(name: string, values: Float32Array, arenas: ArenaTensors = this.#own()): void {
    for (const _ of this.writeInSteps(name, values, arenas));
  }

  /** As `write`, and yields after every `STEP` elements, which the device may then copy. */
  *writeInSteps(
    name: string,
    values: Float32Array,
    arenas: ArenaTensors = this.#own(),
  ): Generator<void, void, void> {
    const parameter = this.get(name), { spec } = parameter;
    const tensors = this.viewsIn(parameter, arenas) ?? [];
    if (values.length !== product(spec.shape)) {
      throw new RangeError(
        `Cannot write ${name}: got ${values.length} values, its shape is [${spec.shape}]`,
      );
    }
    for (const [i, tensor] of tensors.entries()) {
      const width = tensor.shape.at(-1)!, rows = tensor.size / width;
      const step = Math.max(1, Math.floor(STEP / width));
      for (let first = 0; first < rows; first += step) {
        const end = Math.min(first + step, rows);
        const indices = spec.parts[i]!.indices(first, end);
        const packed = new Float32Array(indices.length);
        for (let k = 0; k < indices.length; k++) packed[k] = indices[k]! < 0 ? 0 : values[indices[k]!]!;
        writeRows(this.gpu, tensor, first, packed);
        if (rows <= step) continue;
        this.gpu.device.queue.submit([]); // what is written waits for a submission
        yield;
      }
    }
  }

  /**
   * Values in PyTorch's order by name. `arenas` are the tensors to read from: the parameters' own (default), or
   * others of the same layout such as gradients or averages.
   */
  async read(
    names: readonly string[] = this.all.map((p) => p.name),
    arenas: ArenaTensors = this.#own(),
  ): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const wanted = names.map((name) => this.get(name)).filter((p) => p.arenas.every((a) => arenas[a]));
    const result = new Map<string, Float32Array<ArrayBuffer>>();
    for (const group of grouped(wanted)) {
      const views = group.flatMap((p) => this.viewsIn(p, arenas)!);
      const device = await readTensors(this.gpu, views);
      for (const { name, spec } of group) {
        const values = new Float32Array(product(spec.shape));
        for (const part of spec.parts) {
          const indices = part.indices();
          const data = device.shift()!;
          for (let k = 0; k < indices.length; k++) if (indices[k]! >= 0) values[indices[k]!] = data[k]!;
        }
        result.set(name, values);
      }
    }
    return result;
  }

  #own(): Tensor[] {
    return this.arenas.map((a) => a.values);
  }

  /** New zero tensors, one per trained arena (undefined for the others): gradients or optimiser state. */
  zerosLike(label: string): (Tensor | undefined)[] {
    return this.arenas.map(({ values, trained }, i) =>
      trained ? createTensor(this.gpu, `${label}.${i}`, values.shape) : undefined
    );
  }

  /** The parts of `parameter` inside tensors made by `zerosLike`; undefined where they leave out one of its arenas. */
  viewsIn(parameter: Parameter, arenas: ArenaTensors): readonly Tensor[] | undefined {
    const views = parameter.tensors.map((t, i) => {
      const buffer = arenas[parameter.arenas[i]!]?.buffer;
      return buffer && t.within(buffer, `d ${t.label}`);
    });
    return views.every((v) => v !== undefined) ? views as Tensor[] : undefined;
  }

  /** Frees the memory. */
  [Symbol.dispose](): void {
    for (const { values } of this.arenas) destroyTensor(this.gpu, values);
  }
}

/** Product of a shape's numbers. */
export function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Parameters in runs of at most 64 MiB, so that reading them back never needs one huge buffer. */
function grouped(parameters: readonly Parameter[]): Parameter[][] {
  const groups: Parameter[][] = [];
  let room = 0;
  for (const p of parameters) {
    const bytes = p.tensors.reduce((sum, t) => sum + t.bytes, 0);
    if (bytes > room) {
      groups.push([]);
      room = Math.max(2 ** 26, bytes);
    }
    groups.at(-1)!.push(p);
    room -= bytes;
  }
  return groups;
}

/** Packs parts into arenas no larger than a binding, each of one kind, each part aligned. */
function layOut(
  gpu: Gpu,
  specs: readonly NamedSpec[],
  frozen: (name: string) => boolean,
  groupOf: (name: string) => string,
) {
  const limit = Math.min(gpu.limits.maxStorageBufferBindingSize, gpu.limits.maxBufferSize);
  const align = gpu.limits.minStorageBufferOffsetAlignment;
  type Kind = Pick<Arena, "trained" | "matrices" | "group">;
  const arenas: (Kind & { length: number })[] = [];
  const place = (bytes: number, kind: Kind) => {
    let arena = arenas.findIndex((a) =>
      a.trained === kind.trained && a.matrices === kind.matrices && a.group === kind.group &&
      a.length * 4 + bytes <= limit
    );
    if (arena < 0) arena = arenas.push({ length: 0, ...kind }) - 1;
    const offset = arenas[arena]!.length * 4;
    arenas[arena]!.length += bytes / 4;
    return { arena, offset };
  };
  const slots = specs.map(({ name, spec }) => {
    const kind = {
      trained: spec.trained && !frozen(name),
      matrices: spec.shape.length > 1,
      group: groupOf(name),
    };
    const places = spec.parts.map((part) =>
      place(Math.ceil(layoutOf(name, part.shape).length * 4 / align) * align, kind)
    );
    return { name, spec, places };
  });
  return { arenas, slots };
}
