/**
 * Which tiles a device can run at all, and those worth measuring for a product.
 * @module
 */
import type { Gpu } from "../../gpu.ts";
import { padded } from "../../tensor.ts";
import type { ProductShape, TileChoice } from "./tiles.ts";
import { productForm } from "../conv2d/conv2d.ts";
import { rowsPerGroup, splitsPerGroup, type Tile } from "./tile.ts";
import { chooseSplits, chooseTile } from "./tile_table.ts";

/** What the legality of a tile depends on. */
export type TileDevice = Pick<Gpu, "kind" | "subgroupSize" | "limits">;

/** Sums that one invocation may keep in registers; more only spill. */
const MOST_SUMS = 1024;

/** Whether the device can run this tile for this kind of product. */
export function tileFits(gpu: TileDevice, op: ProductShape["op"], tile: Tile): boolean {
  const { core, lanes, group, rows, cols, across = 1, depth = 4 } = tile;
  const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupSizeX: mostX } = gpu.limits;
  const counts = [lanes, group, rows, cols, across, depth];
  if (counts.some((n) => !Number.isInteger(n) || n < 1) || cols % 4 !== 0) return false;
  if (group > most || group > mostX || rows * cols > MOST_SUMS) return false;
  const { rowVector, colVector } = productForm(op, 4);
  if (rowVector === "rows" && rows % 4 !== 0) return false;
  if (core === "split") return rowVector === "rows" && colVector === "cols";
  if (core === "columns") {
    return rowVector === "k" && rows <= lanes && lanes === gpu.subgroupSize && group % lanes === 0;
  }
  if (core === "subgroup") return lanes === gpu.subgroupSize && group % lanes === 0;
  if (group % across !== 0) return false;
  // Vectors of a block, as the workgroup core lays them out.
  const perVector = (kind: string) => kind === "k" ? 1 : 4;
  const rowHandles = rowsPerGroup(tile) / perVector(rowVector);
  const colHandles = group / across * cols / perVector(colVector);
  const rowSteps = rowVector === "k" ? depth : depth * 4, colSteps = colVector === "k" ? depth : depth * 4;
  const bytes = 16 * (rowHandles * rowSteps + colHandles * colSteps);
  const divides = rowHandles % group === 0 || group % rowHandles === 0;
  return divides && bytes <= gpu.limits.maxComputeWorkgroupStorageSize;
}

/** Tiles and splits worth measuring, the built-in choice first. `few`: only its nearest neighbours. */
export function candidates(gpu: TileDevice, shape: ProductShape, few = false): TileChoice[] {
  const tile = chooseTile(gpu, shape);
  const tiles = [tile, ...allTiles(gpu, shape, few)].filter((t) => tileFits(gpu, shape.op, t));
  const choices = tiles.flatMap((tile) =>
    splitsFor(gpu, shape, tile, few).map((splits) => choice(tile, splits))
  );
  return [...new Map(choices.map((c) => [JSON.stringify(c), c])).values()];
}

function choice(tile: Tile, splits: number | undefined): TileChoice {
  return splits === undefined ? { tile } : { tile, splits };
}

function allTiles(gpu: TileDevice, shape: ProductShape, few: boolean): Tile[] {
  const { rowVector } = productForm(shape.op, 4);
  const widest = Math.max(4, padded(shape.cols));
  const widths = [4, 8, 16, 32, 64].filter((width) => width < 2 * widest && width >= Math.min(8, widest));
  const heights = rowVector === "rows" ? [4, 8, 16] : [1, 2, 4, 8];
  // On a software adapter workgroup memory is ordinary memory with a copy before it.
  return gpu.kind === "cpu" && gpu.subgroupSize > 0
    ? [...subgroupTiles(gpu, heights, widths, few), ...columnsTiles(gpu, shape), ...splitTiles(shape, widths)]
    : [
      ...(gpu.subgroupSize > 0 && !few ? subgroupTiles(gpu, heights, widths, true) : []),
      ...(gpu.subgroupSize > 0 ? columnsTiles(gpu, shape) : []),
      ...workgroupTiles(few),
    ];
}

function subgroupTiles(
  { subgroupSize: lanes }: TileDevice,
  heights: readonly number[],
  widths: readonly number[],
  few: boolean,
): Tile[] {
  const groups = few ? [2] : [1, 2, 4];
  return heights.flatMap((rows) =>
    widths.filter((cols) => cols * rows <= 256).flatMap((cols) =>
      groups.map((n) => ({ core: "subgroup", lanes, group: lanes * n, rows, cols } as const))
    )
  );
}

function columnsTiles({ subgroupSize: lanes }: TileDevice, { op, rows, cols }: ProductShape): Tile[] {
  if (op === "weight_grad" || rows > 8 * lanes || cols < lanes) return [];
  const height = Math.min(lanes, 8, rows);
  return [4, 8, 16, 32].map((
    cols,
  ) => ({ core: "columns", lanes, group: lanes, rows: height, cols } as const));
}

function splitTiles({ op, rows, depth }: ProductShape, widths: readonly number[]): Tile[] {
  if (op !== "weight_grad" || rows > 64 || depth < 1024) return [];
  const all = padded(rows), half = padded(Math.ceil(rows / 2));
  return [all, half].flatMap((rows) =>
    widths.filter((cols) => cols <= 16).map((
      cols,
    ) => ({ core: "split", lanes: 1, group: 8, rows, cols } as const))
  );
}

function workgroupTiles(few: boolean): Tile[] {
  const tiles: Tile[] = [];
  for (const [group, across] of [[64, 8], [128, 16], [256, 16], [256, 32]] as const) {
    for (const [rows, cols] of [[4, 4], [4, 8], [8, 4], [8, 8]] as const) {
      for (const depth of few ? [4] : [1, 2, 4]) {
        tiles.push({ core: "workgroup", lanes: 1, group, across, rows, cols, depth });
      }
    }
  }
  return tiles;
}

/** Partial sums around the built-in number; only weight gradients are cut. */
function splitsFor(
  gpu: TileDevice,
  shape: ProductShape,
  tile: Tile,
  few: boolean,
): readonly (number | undefined)[] {
  if (shape.op !== "weight_grad") return [undefined];
  const usual = chooseSplits(gpu, shape, tile);
  const each = splitsPerGroup(tile);
  const bytes = shape.rows * padded(shape.cols) * 4;
  const factors = few ? [1] : [1, 0.5, 2];
  return factors.map((f) => usual * f).filter((n) =>
    n === usual ||
    n % each === 0 && n >= 1 && n <= shape.depth && n * bytes <= gpu.limits.maxStorageBufferBindingSize / 2
  );
}
