/**
 * Which tile suits which product on which kind of adapter.
 * @module
 */
import type { Gpu } from "../../device.ts";
import { alignTo4 } from "../../tensor.ts";
import { blockM, blockN, splitsPerGroup } from "./product.ts";
import { type ProductShape, type Tile, type TileChoice, tilesOf } from "./tiles.ts";

/** What a choice of tile depends on. */
export type TileHost = Pick<Gpu, "kind" | "subgroupSize">;

/** Decides how a product is cut up; an op that is given one asks it instead of `chooseTile`. */
export type TileChooser = (shape: ProductShape) => TileChoice;

/** The choice for a product on this adapter: the measured one where there is one. */
export function chooseTile(gpu: TileHost, shape: ProductShape): TileChoice {
  const measured = tilesOf(gpu)?.get(shape);
  if (shape.op !== "weight_grad") return { tile: measured?.tile ?? builtInTile(gpu, shape) };
  const tile = measured?.tile ?? builtInTile(gpu, shape);
  return { tile, splitK: measured?.splitK ?? chooseSplitK(gpu, shape, tile) };
}

/** A usual tile of each core, for a search to begin from; not each can be run everywhere. */
export function usualTiles(gpu: TileHost, shape: ProductShape): Tile[] {
  const rows = subgroupTile(gpu, shape), columns = columnsTile(gpu.subgroupSize, shape);
  return [gpuTile(shape), rows, columns, splitTile(shape)];
}

function builtInTile(gpu: TileHost, shape: ProductShape): Tile {
  if (gpu.kind !== "cpu") return gpuTile(shape);
  if (shape.op === "weight_grad" && shape.m <= 36 && shape.n <= 16 && shape.k >= 4096) {
    // Few rows (a first layer's 36) would leave lanes idle; long sums feed them instead.
    return splitTile(shape);
  }
  // Software adapters have eight slow loads to a vector: broadcast saves most.
  return gpu.subgroupSize > 0 ? subgroupTile(gpu, shape) : workgroupTile(shape);
}

function splitTile({ m, n }: ProductShape): Tile {
  return { core: "split", lanes: 1, group: 8, tm: alignTo4(m), tn: widthFor(n, 16) };
}

/**
 * For GPUs: blocks of 64x64 by two warps, smaller ones where there would be too few of them for a GPU's many cores. Of 24 to 51 tiles
 * that were measured for each of AlexNet's products at batch 128 on an H200 (bench/results/nvidia-h200.md) these are the best or within a tenth of
 * it, but for input gradients of few rows.
 */
function gpuTile(shape: ProductShape): Tile {
  const across = shape.n <= 16 ? 16 : 8, wide = shape.n > 32 ? 8 : 4;
  const sizes = ([[8, wide], [4, 4], [2, 4]] as const).map(([tm, tn]) =>
    ({ core: "workgroup", lanes: 1, group: 64, across, tm, tn, bk: 4 }) as const
  );
  // A weight gradient has vectors of four rows, and its sums can be split until there is enough for all cores.
  if (shape.op === "weight_grad") return shape.m <= 32 ? sizes[1]! : sizes[0]!;
  return sizes.find((tile) => blocks(shape, tile) >= MANY_BLOCKS) ?? sizes.at(-1)!;
}

/** Workgroups that keep every core of a large GPU busy: three on each of an H200's 132. */
const MANY_BLOCKS = 400;

function blocks({ m, n }: ProductShape, tile: Tile): number {
  return Math.ceil(m / blockM(tile)) * Math.ceil(n / blockN(tile));
}

function subgroupTile({ subgroupSize: lanes }: TileHost, shape: ProductShape): Tile {
  const tn = widthFor(shape.n, 32);
  // Twice the rows take 1.1 to 1.8 times as long, with 16 vector registers and with 32 (docs/decisions.md).
  if (shape.op === "weight_grad") return { core: "subgroup", lanes, group: lanes, tm: 4, tn };
  if (shape.m <= 4 * lanes && shape.n >= 8 * lanes) return columnsTile(lanes, shape);
  const fitting = 2 ** Math.floor(Math.log2(Math.max(1, shape.m / lanes)));
  const tm = Math.min(4, fitting);
  // An odd number of subgroups would leave half of the last workgroup idle, which shows where there are few.
  const subgroups = Math.ceil(shape.m / (lanes * tm));
  return {
    core: "subgroup",
    lanes,
    group: subgroups % 2 === 1 && subgroups < 16 ? lanes : lanes * 2,
    tm,
    tn,
  };
}

/** For a linear layer of a small batch, which lanes of rows would leave idle. Wide, so that each row of weights is read in long runs. */
function columnsTile(lanes: number, { op, m }: ProductShape): Tile {
  const blocks = Math.ceil(m / lanes);
  return {
    core: "columns",
    lanes,
    group: lanes,
    tm: Math.ceil(m / blocks),
    tn: op === "forward" ? 16 : 8,
  };
}

function workgroupTile(shape: ProductShape): Tile {
  const tn = shape.n <= 32 ? 4 : 8;
  if (shape.m <= 32) {
    // A linear layer with a small batch: few rows, many columns.
    return { core: "workgroup", lanes: 1, group: 64, across: 8, tm: 4, tn: 4, bk: 4 };
  }
  const across = shape.n <= 32 ? 32 : 16;
  return { core: "workgroup", lanes: 1, group: 256, across, tm: shape.n <= 32 ? 4 : 8, tn, bk: 4 };
}

/** The narrowest width for so many columns with as few blocks of at most `most` as can be: 24 for 24 and 48 columns, not 32. */
function widthFor(columns: number, most: number): number {
  return alignTo4(Math.ceil(columns / Math.ceil(columns / most)));
}

/** Into how many partial sums K is cut so that every core of the adapter has work. */
export function chooseSplitK(gpu: TileHost, shape: ProductShape, tile: Tile): number {
  const cpu = gpu.kind === "cpu", wanted = cpu ? 16 : MANY_BLOCKS;
  if (tile.core === "split") return splitsPerGroup(tile) * wanted;
  const deepEnough = Math.ceil(shape.k / (cpu ? 256 : 64));
  return Math.max(1, Math.min(Math.ceil(wanted / blocks(shape, tile)), deepEnough, cpu ? 64 : wanted));
}
