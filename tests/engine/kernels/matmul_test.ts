import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  kernelFingerprint,
  parseTileFile,
  requestTunedGpu,
  tableFor,
  tileAdapter,
} from "../../../engine/kernels/matmul/tile_cache.ts";
import { candidates, tileFits } from "../../../engine/kernels/matmul/tile_candidates.ts";
import { chooseSplits, chooseTile } from "../../../engine/kernels/matmul/tile_table.ts";
import { productKey, type ProductShape, tilesId, TileTable } from "../../../engine/kernels/matmul/tiles.ts";
import { gpu } from "../../gpu.ts";

const shape: ProductShape = { op: "weight_grad", rows: 576, cols: 128, depth: 1152 };
const tile = { core: "workgroup", lanes: 1, group: 64, across: 8, rows: 4, cols: 4, depth: 2 } as const;
const table = {
  adapter: tileAdapter(gpu),
  kernels: kernelFingerprint(),
  products: { [productKey(shape)]: { tile, splits: 3 } },
};

function text(change: Record<string, unknown> = {}, version = 1): string {
  return JSON.stringify({ version, tables: [{ ...table, ...change }] });
}

async function open(content: string | Uint8Array | undefined) {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  if (content === undefined) await Deno.remove(path);
  else await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  const notes: string[] = [];
  try {
    using device = await requestTunedGpu({ file: path, onNote: (note) => notes.push(note) });
    return { tiles: device.tiles, notes: notes.map((note) => note.replace(path, "FILE")) };
  } finally {
    await Deno.remove(path).catch(() => {});
  }
}

Deno.test("a product that was measured gets its tile and splits, any other the built-in ones", async () => {
  const { tiles, notes } = await open(text());
  assertEquals(notes, []);
  assertInstanceOf(tiles, TileTable);
  const host = { kind: gpu.kind, subgroupSize: gpu.subgroupSize, tiles };
  assertEquals(chooseTile(host, shape), tile);
  assertEquals(chooseSplits(host, shape, chooseTile(host, shape)), 3);
  const other = { ...shape, depth: 1153 };
  assertEquals(chooseTile(host, other), chooseTile(gpu, other));
});

Deno.test("without a file the built-in tiles are used, and nobody is told", async () => {
  const { tiles, notes } = await open(undefined);
  assertEquals([tiles, notes], [undefined, []]);
  assertEquals(tilesId({ tiles }), "built-in");
});

const BAD: Readonly<Record<string, readonly [string | Uint8Array, string]>> = {
  "an empty file": ["", "it is not JSON"],
  "half a file": [text().slice(0, 200), "it is not JSON"],
  "random bytes": [crypto.getRandomValues(new Uint8Array(4096)), "it is not JSON"],
  "another version": [text({}, 2), "version in it is wrong"],
  "a list": ["[]", "everything in it is wrong"],
  "tables of another type": [`{"version":1,"tables":{}}`, "tables in it is wrong"],
  "an unknown product": [text({ products: { "backward 1x2x3": { tile } } }), "in it is wrong"],
  "a tile of minus one": [
    text({ products: { [productKey(shape)]: { tile: { ...tile, rows: -1 } } } }),
    "rows in it is wrong",
  ],
  "another adapter": [text({ adapter: { ...table.adapter, name: "Voodoo 2" } }), `no tiles for ${gpu.name}`],
  "another runtime": [
    text({ adapter: { ...table.adapter, runtime: "Deno 1.0.0" } }),
    `no tiles for ${gpu.name}`,
  ],
  "other kernels": [text({ kernels: "0123456789abcdef" }), "the kernels have changed"],
  "a tile beyond this device": [
    text({ products: { [productKey(shape)]: { tile: { ...tile, group: 65_535, across: 1 } } } }),
    "this device cannot run its tile for weight_grad 576x128x1152",
  ],
};
for (const [name, [content, problem]] of Object.entries(BAD)) {
  Deno.test(`${name} instead of measured tiles is passed over with a note`, async () => {
    const { tiles, notes } = await open(content);
    assertEquals(tiles, undefined);
    assertEquals(notes.length, 1);
    assertStringIncludes(notes[0]!, "Passing over FILE: ");
    assertStringIncludes(notes[0]!, problem);
    assertStringIncludes(notes[0]!, "deno task tune");
  });
}

Deno.test("two tables with the same choices have the same id, whatever their order", () => {
  const a = { tile }, b = { tile, splits: 2 };
  const forward = new TileTable(new Map([["forward 1x2x3", a], ["weight_grad 1x2x3", b]]));
  const backward = new TileTable(new Map([["weight_grad 1x2x3", b], ["forward 1x2x3", a]]));
  assertEquals(forward.id, backward.id);
  assert(forward.id !== new TileTable(new Map([["forward 1x2x3", b]])).id);
});

Deno.test("the file of one adapter says nothing to another", () => {
  const parsed = parseTileFile(text());
  if (!("tables" in parsed)) throw new Error(parsed.problem);
  const found = tableFor(gpu, { ...table.adapter, subgroupSize: 64 }, parsed);
  assert(!(found instanceof TileTable));
});

const SHAPES: readonly ProductShape[] = [
  { op: "forward", rows: 394_272, cols: 16, depth: 36 },
  { op: "forward", rows: 1, cols: 1, depth: 1 },
  { op: "input_grad", rows: 32, cols: 4608, depth: 3 },
  { op: "weight_grad", rows: 36, cols: 16, depth: 394_272 },
  { op: "weight_grad", rows: 9216, cols: 4096, depth: 1 },
];
for (const subgroupSize of [0, 8, 32]) {
  for (const kind of ["cpu", "discrete", "other"] as const) {
    Deno.test(`every candidate fits a ${kind} adapter with subgroups of ${subgroupSize}, the built-in one first`, () => {
      const host = { kind, subgroupSize, limits: gpu.limits };
      for (const shape of SHAPES) {
        for (const few of [true, false]) {
          const found = candidates(host, shape, few);
          assertEquals(found[0]!.tile, chooseTile(host, shape));
          assert(found.length > 1, productKey(shape));
          assert(found.every(({ tile }) => tileFits(host, shape.op, tile)));
          assert(found.every(({ splits }) => (splits !== undefined) === (shape.op === "weight_grad")));
        }
      }
    });
  }
}
