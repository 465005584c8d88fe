/**
 * The order in which a step's gradients are added up: one binary tree over the numbers of its micro-batches, the same whoever computes
 * which. A node of level L and number i is the sum of the leaves i * 2^L to (i + 1) * 2^L - 1, its left child's plus its right child's.
 * Leaves beyond the step's last one are not there: a node with one child is that child.
 * @module
 */

/** The sum of 2^level micro-batches from `first` on, a multiple of that. */
export interface TreeNode {
  /** Of its first micro-batch. */
  readonly first: number;
  /** 0: a micro-batch itself. */
  readonly level: number;
}

/** Numbers from `first` on, up to and without `end`. */
export interface Span {
  /** The lowest one. */
  readonly first: number;
  /** One beyond the highest. */
  readonly end: number;
}

/** Which of a step's micro-batches a rank computes: as many as the others do, or one more or less. */
export function shareOf(rank: number, ranks: number, microBatches: number): Span {
  const from = (rank: number) => Math.floor(rank * microBatches / ranks);
  return { first: from(rank), end: from(rank + 1) };
}

/** The fewest nodes that together are these leaves, in their order. */
export function nodesOf({ first, end }: Span): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = first; at < end;) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level++;
    nodes.push({ first: at, level });
    at += 2 ** level;
  }
  return nodes;
}

/** The nodes of each rank in a step that has that many of its `microBatches`, as the last one of an epoch may. */
export function nodesOfRanks(ranks: number, microBatches: number, present: number): TreeNode[][] {
  return Array.from({ length: ranks }, (_, rank) => {
    const { first, end } = shareOf(rank, ranks, microBatches);
    return nodesOf({ first, end: Math.min(end, present) });
  });
}

/** `slots[into] += slots[from]`. */
export type Addition = readonly [into: number, from: number];

/** The additions that make of slots, which hold these nodes, the sum of all in slot 0. The nodes are disjoint and in order. */
export function additions(nodes: readonly TreeNode[]): Addition[] {
  const made: Addition[] = [];
  const sum = (slots: readonly number[], first: number, length: number): number | undefined => {
    if (slots.length < 2) return slots[0];
    const middle = first + length / 2, left = slots.filter((slot) => nodes[slot]!.first < middle);
    const a = sum(left, first, length / 2), b = sum(slots.slice(left.length), middle, length / 2);
    if (a !== undefined && b !== undefined) made.push([a, b]);
    return a ?? b;
  };
  const last = nodes.at(-1);
  const leaves = last ? last.first + 2 ** last.level : 1;
  sum([...nodes.keys()], 0, 2 ** Math.ceil(Math.log2(leaves)));
  return made;
}
