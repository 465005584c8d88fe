import { assertEquals } from "@std/assert";
import { additions, nodesOf, nodesOfRanks, shareOf, type TreeNode } from "../../distributed/tree.ts";

/** A sum of leaves as an expression: what is added to what. */
function ofNode({ first, level }: TreeNode): string {
  if (level === 0) return `${first}`;
  const half = 2 ** (level - 1);
  return `(${ofNode({ first, level: level - 1 })}+${ofNode({ first: first + half, level: level - 1 })})`;
}

/** The same of the tree's top over that many leaves, by its definition alone. */
function ofTop(first: number, length: number, leaves: number): string | undefined {
  if (first >= leaves) return undefined;
  if (length === 1) return `${first}`;
  const left = ofTop(first, length / 2, leaves), right = ofTop(first + length / 2, length / 2, leaves);
  return right === undefined ? left : `(${left}+${right})`;
}

Deno.test("any number of ranks adds up any number of micro-batches in the same order", () => {
  for (let microBatches = 1; microBatches <= 20; microBatches++) {
    for (let present = 1; present <= microBatches; present++) {
      const wanted = ofTop(0, 32, present);
      for (let ranks = 1; ranks <= microBatches; ranks++) {
        const nodes = nodesOfRanks(ranks, microBatches, present).flat();
        const slots = nodes.map(ofNode);
        for (const [into, from] of additions(nodes)) slots[into] = `(${slots[into]}+${slots[from]})`;
        assertEquals(slots[0], wanted, `${present} of ${microBatches} on ${ranks}`);
      }
    }
  }
});

Deno.test("ranks have contiguous shares that differ by one at most, and whole subtrees where their number allows", () => {
  const shares = Array.from({ length: 3 }, (_, rank) => shareOf(rank, 3, 7));
  assertEquals(shares.map(({ first, end }) => [first, end]), [[0, 2], [2, 4], [4, 7]]);
  assertEquals(nodesOf({ first: 4, end: 8 }), [{ first: 4, level: 2 }]);
  assertEquals(nodesOf({ first: 3, end: 9 }), [
    { first: 3, level: 0 },
    { first: 4, level: 2 },
    { first: 8, level: 0 },
  ]);
  for (const ranks of [1, 2, 4, 8]) {
    assertEquals(nodesOfRanks(ranks, 8, 8).map((own) => own.length), Array(ranks).fill(1));
  }
});
