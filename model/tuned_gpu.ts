/**
 * A device with the tiles that `deno task tune` has measured on it, and the file they are kept in: tiles by adapter and product.
 * @module
 */
import { z } from "zod";
import { cachePlace } from "../data/cache_folder.ts";
import { Gpu, type GpuOptions } from "../engine/gpu.ts";
import { PRODUCT_SOURCES } from "../engine/kernels/conv2d/conv2d.ts";
import { type TileDevice, tileFits } from "../engine/kernels/matmul/candidates.ts";
import { operandsOf, productSource, splitsPerGroup } from "../engine/kernels/matmul/product.ts";
import { type ProductShape, type TileChoice, TileTable, useTiles } from "../engine/kernels/matmul/tiles.ts";
import { fingerprint } from "../engine/random.ts";

/** Where tiles are kept unless told otherwise. */
export const TILE_FILE: string = cachePlace("tiles");

const count = z.int().min(1).max(65_535);
const choiceSchema = z.strictObject({
  tile: z.strictObject({
    core: z.enum(["subgroup", "workgroup", "split", "columns"]),
    lanes: count,
    group: count,
    tm: count,
    tn: count,
    across: count.optional(),
    bk: count.optional(),
  }),
  splitK: count.optional(),
});
const adapterSchema = z.strictObject({
  name: z.string(),
  vendor: z.string(),
  device: z.string(),
  /** Lanes of a subgroup, 0 without. */
  subgroupSize: z.int().min(0),
  /** The runtime brings the shader compiler. */
  runtime: z.string(),
  /** Drivers of several versions may report one name. */
  driver: z.string(),
  /** Of a software adapter, what decides which instructions it generates; empty for others and where it is unknown. */
  processor: z.string(),
});
const fileSchema = z.strictObject({
  version: z.literal(3),
  tables: z.array(z.strictObject({
    adapter: adapterSchema,
    /** Fingerprint of the kernels that were measured. */
    kernels: z.string(),
    products: z.record(z.string().regex(/^(forward|input_grad|weight_grad) \d+x\d+x\d+$/), choiceSchema),
  })),
});

/** What the file holds. */
export type TileFile = z.infer<typeof fileSchema>;

/** Whose measurements they are: adapter, driver, processor and runtime. */
export type TileAdapter = z.infer<typeof adapterSchema>;

/** The identity under which an adapter's tiles are kept. */
export function tileAdapter(gpu: Gpu): TileAdapter {
  const { vendor, device } = gpu.adapter.info;
  return {
    name: gpu.name,
    vendor,
    device,
    subgroupSize: gpu.subgroupSize,
    runtime: `Deno ${Deno.version.deno}`,
    driver: gpu.driver.name,
    processor: gpu.kind === "cpu" ? gpu.driver.processor : "",
  };
}

/** Changes whenever the text of a product's kernel does, because then old measurements say nothing. */
export function kernelFingerprint(): string {
  const common = { lanes: 8, group: 8, tm: 4, tn: 4, across: 4, bk: 2 } as const;
  const texts: string[] = [];
  for (const [op, source] of Object.entries(PRODUCT_SOURCES) as [ProductShape["op"], string][]) {
    const cores = op === "weight_grad"
      ? ["subgroup", "workgroup", "split"] as const
      : ["subgroup", "workgroup", "columns"] as const;
    for (const core of cores) texts.push(productSource(source, { core, ...common }, operandsOf(op, 4)));
  }
  return fingerprint(texts.join("\n"));
}

/** Reads a file's text; returns what is wrong with it, in words, instead of throwing. */
export function parseTileFile(text: string): TileFile | { readonly problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { problem: "it is not JSON" };
  }
  const parsed = fileSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return { problem: `${path.join(".") || "everything"} in it is wrong (${message})` };
}

/** This device's table out of a file, or why there is none that can be used. */
export function tableFor(
  gpu: TileDevice,
  adapter: TileAdapter,
  file: TileFile,
): TileTable | { readonly problem: string } {
  const same = (other: TileAdapter) => JSON.stringify(identity(other)) === JSON.stringify(identity(adapter));
  const found = file.tables.find((table) => same(table.adapter));
  if (!found) {
    return { problem: `it holds no tiles for ${adapter.name} with ${adapter.runtime} and ${adapter.driver}` };
  }
  if (found.kernels !== kernelFingerprint()) {
    return { problem: "the kernels have changed since it was measured" };
  }
  if (Object.keys(found.products).length === 0) {
    return { problem: `its table for ${adapter.name} is empty, as an interrupted measurement leaves it` };
  }
  for (const [key, choice] of Object.entries(found.products)) {
    if (!choiceFits(gpu, key, choice)) return { problem: `this device cannot run its tile for ${key}` };
  }
  return new TileTable(new Map(Object.entries(found.products)));
}

function choiceFits(gpu: TileDevice, key: string, { tile, splitK }: TileChoice): boolean {
  const op = key.split(" ")[0] as ProductShape["op"];
  return tileFits(gpu, op, tile) && (splitK ?? splitsPerGroup(tile)) % splitsPerGroup(tile) === 0;
}

/** The table's fields in a fixed order. */
export function identity(
  { name, vendor, device, subgroupSize, runtime, driver, processor }: TileAdapter,
): readonly unknown[] {
  return [name, vendor, device, subgroupSize, runtime, driver, processor];
}

/**
 * `Gpu.request`, with the tiles that `deno task tune` has measured on this adapter. A file that is missing is fine; one that is
 * corrupt, of another adapter or of other kernels is passed over, and `onNote` hears why.
 */
export async function requestTunedGpu(
  { file = TILE_FILE, onNote, ...options }: GpuOptions & {
    readonly file?: string;
    readonly onNote?: (text: string) => void;
  } = {},
): Promise<Gpu> {
  const gpu = await Gpu.request(options);
  const loaded = await readTiles(gpu, file);
  if (loaded instanceof TileTable) useTiles(gpu, loaded);
  else if (loaded) onNote?.(`Passing over ${file}: ${loaded.problem}; \`deno task tune\` measures anew`);
  return gpu;
}

async function readTiles(gpu: Gpu, path: string): Promise<TileTable | { problem: string } | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    return { problem: `it cannot be read (${error instanceof Error ? error.message : error})` };
  }
  const file = parseTileFile(text);
  return "problem" in file ? file : tableFor(gpu, tileAdapter(gpu), file);
}
