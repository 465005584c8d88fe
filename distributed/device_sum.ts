/**
 * Sums of micro-batches' gradients on one device, in the order of the tree: the gradients of each are computed where the sum of those before
 * it does not lie, and added to what is complete, as a counter in binary carries.
 * @module
 */
import { accumulate } from "../engine/kernels/add/add.ts";
import type { Gpu } from "../engine/device.ts";
import { Plan } from "../engine/plan.ts";
import { copyTensors, type Tensor } from "../engine/tensor.ts";
import { nodesOf, type Span, type TreeNode } from "./tree.ts";

/** Tensors that together are the gradients of a network. */
export type Gradients = readonly (Tensor | undefined)[];

/** One set of gradients beside another, without those that are not there. */
function pairs(from: Gradients, to: Gradients): (readonly [from: Tensor, to: Tensor])[] {
  return from.flatMap((tensor, i) => tensor ? [[tensor, to[i]!] as const] : []);
}

/** Adds up the micro-batches of one rank's share. */
export class DeviceSum implements Disposable {
  /** Sums of 2^level micro-batches that wait for their right neighbours. */
  readonly #waiting: Addend[];
  /** Sums that are complete as far as this rank goes, but for the last, which stays where gradients are computed. */
  readonly #complete: Addend[];
  #nodes: readonly TreeNode[] = [];
  #node = 0;
  #next = 0;

  private constructor(
    readonly gpu: Gpu,
    readonly gradients: Gradients,
    parts: { waiting: Addend[]; complete: Addend[] },
  ) {
    this.#waiting = parts.waiting;
    this.#complete = parts.complete;
  }

  /** Takes memory for a share and for every shorter one from its start on. `gradients` is where each micro-batch's are computed. */
  static async create(gpu: Gpu, gradients: Gradients, { first, end }: Span): Promise<DeviceSum> {
    let levels = 0, nodes = 0;
    for (let last = first + 1; last <= end; last++) {
      const own = nodesOf({ first, end: last });
      levels = Math.max(levels, ...own.map(({ level }) => level));
      nodes = Math.max(nodes, own.length - 1);
    }
    const make = (count: number) =>
      Promise.all(Array.from({ length: count }, () => Addend.create(gpu, gradients)));
    return new DeviceSum(gpu, gradients, { waiting: await make(levels), complete: await make(nodes) });
  }

  /** A step begins that has these micro-batches of the share. */
  begin(span: Span): void {
    this.#nodes = nodesOf(span);
    this.#node = 0;
    this.#next = span.first;
  }

  /** The gradients of the next micro-batch have been submitted: adds to them what they complete, and puts the sum where it waits. */
  add(): void {
    const node = this.#nodes[this.#node];
    if (!node) throw new RangeError("Cannot add up gradients: the step has no more micro-batches here");
    const number = this.#next++ - node.first;
    let level = 0;
    for (; (number >> level) % 2 === 1; level++) this.#waiting[level]!.addTo.run();
    if (level < node.level) return this.#keep(this.#waiting[level]!);
    const last = ++this.#node === this.#nodes.length;
    if (!last) this.#keep(this.#complete[this.#node - 1]!);
  }

  #keep(addend: Addend): void {
    copyTensors(this.gpu, pairs(this.gradients, addend.tensors));
  }

  /** The sums of the share's nodes, in their order. */
  get sums(): readonly Gradients[] {
    const count = this.#nodes.length;
    if (count === 0) return [];
    return [...this.#complete.slice(0, count - 1).map(({ tensors }) => tensors), this.gradients];
  }

  /** Makes one sum of the share's, where gradients are computed: for a share from 0 on, that of the tree. */
  join(): void {
    for (const { addTo } of this.#complete.slice(0, Math.max(0, this.#nodes.length - 1)).reverse()) {
      addTo.run();
    }
  }

  /** Frees the sums. */
  [Symbol.dispose](): void {
    for (const { addTo } of [...this.#waiting, ...this.#complete]) addTo[Symbol.dispose]();
  }
}

/** Gradients that are kept to be added to others. */
class Addend {
  private constructor(readonly tensors: Gradients, readonly addTo: Plan) {}

  static async create(gpu: Gpu, gradients: Gradients): Promise<Addend> {
    const addTo = new Plan(gpu, "sum of gradients");
    const tensors = gradients.map((g) => g && addTo.tensor(g.shape));
    for (const [x, y] of pairs(tensors, gradients)) accumulate(addTo, { x, y });
    return new Addend(tensors, await addTo.compile());
  }
}
