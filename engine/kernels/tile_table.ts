/**
 * Which tile suits which product on which kind of adapter.
 * @module
 */
import type { Gpu } from "../gpu.ts";
import { splitsPerGroup, type Tile } from "./tile.ts";

/** The size of a product. `depth` is the length of the sum. */
export interface ProductShape {
  readonly op: "forward" | "input_grad" | "weight_grad";
  readonly rows: number;
  readonly cols: number;
  readonly depth: number;
}

/** The tile for a product on this adapter. */
export function chooseTile(gpu: Gpu, shape: ProductShape): Tile {
  const lanes = gpu.subgroupSize;
  const cols = shape.cols <= 4 ? 4 : shape.cols <= 8 ? 8 : shape.cols <= 16 ? 16 : 32;
  if (shape.op === "weight_grad") {
    // Few rows (a first layer's 36) would leave lanes idle; long sums feed them instead.
    if (shape.rows <= 36 && cols <= 16 && shape.depth >= 4096) {
      return { lanes: 1, group: 8, rows: Math.ceil(shape.rows / 4) * 4, cols, over: "k" };
    }
    return { lanes, group: lanes, rows: shape.rows < lanes * 16 ? 4 : 8, cols };
  }
  const rows = shape.rows < lanes * 4 * 8
    ? Math.max(1, 2 ** Math.floor(Math.log2(shape.rows / lanes || 1)))
    : 4;
  return { lanes, group: lanes * 2, rows: Math.min(4, Math.max(1, rows)), cols };
}

/** Into how many partial sums a weight gradient is cut so that every core has work. */
export function chooseSplits(gpu: Gpu, shape: ProductShape, tile: Tile): number {
  const wanted = gpu.kind === "cpu" ? 16 : 512;
  if (tile.over === "k") return splitsPerGroup(tile) * wanted;
  const tiles = Math.ceil(shape.rows / (tile.group * tile.rows)) * Math.ceil(shape.cols / tile.cols);
  const deepEnough = Math.ceil(shape.depth / 256);
  return Math.max(1, Math.min(Math.ceil(wanted / tiles), deepEnough, 64));
}
