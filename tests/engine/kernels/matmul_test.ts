/** How products are cut up: tables, choices, candidates. */
import { assert, assertEquals } from "@std/assert";
import { neighbours, tileFits } from "../../../engine/kernels/matmul/candidates.ts";
import { chooseTile } from "../../../engine/kernels/matmul/choose.ts";
import {
  productKey,
  type ProductShape,
  tilesId,
  tilesOf,
  TileTable,
  useTiles,
} from "../../../engine/kernels/matmul/tiles.ts";
import columns from "../../fixtures/wgsl/columns.wgsl" with { type: "text" };
import split from "../../fixtures/wgsl/split.wgsl" with { type: "text" };
import subgroup from "../../fixtures/wgsl/subgroup.wgsl" with { type: "text" };
import workgroup from "../../fixtures/wgsl/workgroup.wgsl" with { type: "text" };
import { GOLDEN, goldenKernel } from "../../fixtures/wgsl/golden.ts";
import { gpu } from "../../gpu.ts";

const shape: ProductShape = { op: "weight_grad", m: 576, n: 128, k: 1152 };
const tile = { core: "workgroup", lanes: 1, group: 64, across: 8, tm: 4, tn: 4, bk: 2 } as const;

Deno.test("a product that was measured gets its tile and splits, any other the built-in ones", () => {
  const host = { kind: gpu.kind, subgroupSize: gpu.subgroupSize };
  assertEquals([tilesOf(host), tilesId(host)], [undefined, "built-in"]);
  const table = new TileTable(new Map([[productKey(shape), { tile, splitK: 3 }]]));
  useTiles(host, table);
  assertEquals([tilesOf(host), tilesId(host)], [table, table.id]);
  assertEquals(chooseTile(host, shape), { tile, splitK: 3 });
  const other = { ...shape, k: 1153 };
  assertEquals(chooseTile(host, other), chooseTile(gpu, other));
});

Deno.test("two tables with the same choices have the same id, whatever their order", () => {
  const a = { tile }, b = { tile, splitK: 2 };
  const forward = new TileTable(new Map([["forward 1x2x3", a], ["weight_grad 1x2x3", b]]));
  const backward = new TileTable(new Map([["weight_grad 1x2x3", b], ["forward 1x2x3", a]]));
  assertEquals(forward.id, backward.id);
  assert(forward.id !== new TileTable(new Map([["forward 1x2x3", b]])).id);
});

const SHAPES: readonly ProductShape[] = [
  { op: "forward", m: 394_272, n: 16, k: 36 },
  { op: "forward", m: 1, n: 1, k: 1 },
  { op: "input_grad", m: 32, n: 4608, k: 3 },
  { op: "weight_grad", m: 36, n: 16, k: 394_272 },
  { op: "weight_grad", m: 9216, n: 4096, k: 1 },
];
for (const subgroupSize of [0, 8, 32]) {
  for (const kind of ["cpu", "discrete", "other"] as const) {
    Deno.test(`what lies next to the built-in tile fits a ${kind} adapter with subgroups of ${subgroupSize}`, () => {
      const host = { kind, subgroupSize, limits: gpu.limits };
      for (const shape of SHAPES) {
        const builtIn = chooseTile(host, shape), found = neighbours(host, shape, builtIn);
        assert(found.length > 1, productKey(shape));
        assert(
          found.every((choice) => JSON.stringify(choice) !== JSON.stringify(builtIn)),
          productKey(shape),
        );
        assert(found.every(({ tile }) => tileFits(host, shape.op, tile)));
        assert(found.every(({ splitK }) => (splitK !== undefined) === (shape.op === "weight_grad")));
        // Further steps stay legal, too.
        for (const next of found.flatMap((choice) => neighbours(host, shape, choice))) {
          assert(tileFits(host, shape.op, next.tile), `${productKey(shape)} ${JSON.stringify(next)}`);
        }
      }
    });
  }
}

/** One finished kernel of each core, as it should read. `deno run -A tests/fixtures/wgsl/write.ts` writes them anew. */
for (const [core, wanted] of Object.entries({ columns, split, subgroup, workgroup })) {
  Deno.test(`the finished kernel of the ${core} core reads as it did`, () => {
    assertEquals(goldenKernel(core as keyof typeof GOLDEN), wanted);
  });
}

Deno.test("the tiles of the kernels that are kept to read can be run", () => {
  const host = { kind: "cpu", subgroupSize: 8, limits: gpu.limits } as const;
  for (const { op, tile } of Object.values(GOLDEN)) assert(tileFits(host, op, tile), tile.core);
});

Deno.test("a GPU gets blocks that are as large as leave work for all of its cores", () => {
  const host = { kind: "discrete", subgroupSize: 32 } as const;
  const sizes = ([
    ["forward", 21_632, 256, 3456],
    ["forward", 128, 4096, 9216],
    ["forward", 128, 1000, 4096],
    ["forward", 394_272, 16, 36],
    ["weight_grad", 2304, 256, 21_632],
    ["weight_grad", 36, 16, 394_272],
  ] as const).map(([op, m, n, k]) => {
    const { tile: { core, tm, tn, across }, splitK } = chooseTile(host, { op, m, n, k });
    return [core, tm, tn, across, splitK];
  });
  assertEquals(sizes, [
    ["workgroup", 8, 8, 8, undefined],
    ["workgroup", 4, 4, 8, undefined],
    ["workgroup", 2, 4, 8, undefined],
    ["workgroup", 8, 4, 16, undefined],
    ["workgroup", 8, 8, 8, 3],
    ["workgroup", 8, 4, 16, 400],
  ]);
});

Deno.test("a software adapter's blocks are as wide as wastes least", () => {
  const host = { kind: "cpu", subgroupSize: 8 } as const;
  const widths = [3, 16, 20, 24, 32, 48, 64, 72, 192].map((n) =>
    chooseTile(host, { op: "forward", m: 4096, n, k: 100 }).tile.tn
  );
  assertEquals(widths, [4, 16, 20, 24, 32, 24, 32, 24, 32]);
});
