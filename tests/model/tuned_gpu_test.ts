import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import {
  kernelFingerprint,
  parseTileFile,
  requestTunedGpu,
  tableFor,
  tileAdapter,
} from "../../model/tuned_gpu.ts";
import {
  productKey,
  type ProductShape,
  tilesId,
  tilesOf,
  TileTable,
} from "../../engine/kernels/matmul/tiles.ts";
import { gpu } from "../gpu.ts";
import { testNeeding } from "../permissions.ts";

const onDisk = testNeeding("read", "write");

const shape: ProductShape = { op: "weight_grad", m: 576, n: 128, k: 1152 };
const tile = { core: "workgroup", lanes: 1, group: 64, across: 8, tm: 4, tn: 4, bk: 2 } as const;
const table = {
  adapter: tileAdapter(gpu),
  kernels: kernelFingerprint(),
  products: { [productKey(shape)]: { tile, splitK: 3 } },
};

function text(change: Record<string, unknown> = {}, version = 3): string {
  return JSON.stringify({ version, tables: [{ ...table, ...change }] });
}

async function open(content: string | Uint8Array | undefined) {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  if (content === undefined) await Deno.remove(path);
  else await Deno.writeFile(path, typeof content === "string" ? new TextEncoder().encode(content) : content);
  const notes: string[] = [];
  try {
    using device = await requestTunedGpu({ file: path, onNote: (note) => notes.push(note) });
    return {
      tiles: tilesOf(device),
      id: tilesId(device),
      notes: notes.map((note) => note.replace(path, "FILE")),
    };
  } finally {
    await Deno.remove(path).catch(() => {});
  }
}

onDisk("tiles that were measured are loaded from their file", async () => {
  const { tiles, notes } = await open(text());
  assertEquals(notes, []);
  assertInstanceOf(tiles, TileTable);
  assertEquals((tiles as TileTable).get(shape), { tile, splitK: 3 });
});

onDisk("without a file the built-in tiles are used, and nobody is told", async () => {
  const { tiles, id, notes } = await open(undefined);
  assertEquals([tiles, id, notes], [undefined, "built-in", []]);
});

const BAD: Readonly<Record<string, readonly [string | Uint8Array, string]>> = {
  "an empty file": ["", "it is not JSON"],
  "half a file": [text().slice(0, 200), "it is not JSON"],
  "random bytes": [crypto.getRandomValues(new Uint8Array(4096)), "it is not JSON"],
  "another version": [text({}, 1), "version in it is wrong"],
  "a list": ["[]", "everything in it is wrong"],
  "tables of another type": [`{"version":3,"tables":{}}`, "tables in it is wrong"],
  "an unknown product": [text({ products: { "backward 1x2x3": { tile } } }), "in it is wrong"],
  "a tile of minus one": [
    text({ products: { [productKey(shape)]: { tile: { ...tile, tm: -1 } } } }),
    "tm in it is wrong",
  ],
  "another adapter": [text({ adapter: { ...table.adapter, name: "Voodoo 2" } }), `no tiles for ${gpu.name}`],
  "another runtime": [
    text({ adapter: { ...table.adapter, runtime: "Deno 1.0.0" } }),
    `no tiles for ${gpu.name}`,
  ],
  "another driver": [
    text({ adapter: { ...table.adapter, driver: "Mesa 1.0" } }),
    `and ${table.adapter.driver}`,
  ],
  "another processor": [
    text({ adapter: { ...table.adapter, processor: "another" } }),
    `no tiles for ${gpu.name}`,
  ],
  "a file without drivers": [
    text({ adapter: { ...table.adapter, driver: undefined } }),
    "driver in it is wrong",
  ],
  "other kernels": [text({ kernels: "0123456789abcdef" }), "the kernels have changed"],
  "an empty table": [text({ products: {} }), "is empty, as an interrupted measurement leaves it"],
  "a tile beyond this device": [
    text({ products: { [productKey(shape)]: { tile: { ...tile, group: 65_535, across: 1 } } } }),
    "this device cannot run its tile for weight_grad 576x128x1152",
  ],
};
for (const [name, [content, problem]] of Object.entries(BAD)) {
  onDisk(`${name} instead of measured tiles is passed over with a note`, async () => {
    const { tiles, notes } = await open(content);
    assertEquals(tiles, undefined);
    assertEquals(notes.length, 1);
    assertStringIncludes(notes[0]!, "Passing over FILE: ");
    assertStringIncludes(notes[0]!, problem);
    assertStringIncludes(notes[0]!, "deno task tune");
  });
}

Deno.test("the file of one adapter says nothing to another", () => {
  const parsed = parseTileFile(text());
  if (!("tables" in parsed)) throw new Error(parsed.problem);
  assert(tableFor(gpu, table.adapter, parsed) instanceof TileTable);
  for (const other of [{ subgroupSize: 64 }, { driver: "Mesa 25" }, { processor: "abacus" }]) {
    const found = tableFor(gpu, { ...table.adapter, ...other }, parsed);
    assert(!(found instanceof TileTable), JSON.stringify(other));
  }
});
