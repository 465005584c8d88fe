/**
 * Which tile suits which product on which kind of adapter.
 * @module
 */
import type { Gpu } from "../../gpu.ts";
import type { ProductShape, Tile } from "./tiles.ts";
import { colsPerGroup, rowsPerGroup, splitsPerGroup } from "./tile.ts";

export type { ProductShape };

/** What a choice of tile depends on. */
export type TileHost = Pick<Gpu, "kind" | "subgroupSize"> & Partial<Pick<Gpu, "tiles">>;

/** The tile for a product on this adapter: the measured one where there is one. */
export function chooseTile(gpu: TileHost, shape: ProductShape): Tile {
  return gpu.tiles?.get(shape)?.tile ?? builtInTile(gpu, shape);
}

function builtInTile(gpu: TileHost, shape: ProductShape): Tile {
  if (shape.op === "weight_grad" && shape.rows <= 36 && shape.cols <= 16 && shape.depth >= 4096) {
    // Few rows (a first layer's 36) would leave lanes idle; long sums feed them instead.
    return {
      core: "split",
      lanes: 1,
      group: 8,
      rows: Math.ceil(shape.rows / 4) * 4,
      cols: widthFor(shape.cols, 16),
    };
  }
  // Software adapters have eight slow loads to a vector: broadcast saves most. Real GPUs have workgroup memory.
  return gpu.kind === "cpu" && gpu.subgroupSize > 0 ? subgroupTile(gpu, shape) : workgroupTile(shape);
}

function subgroupTile({ subgroupSize: lanes }: TileHost, shape: ProductShape): Tile {
  const cols = widthFor(shape.cols, 32);
  if (shape.op === "weight_grad") {
    return { core: "subgroup", lanes, group: lanes, rows: shape.rows < lanes * 16 ? 4 : 8, cols };
  }
  if (shape.rows <= 4 * lanes && shape.cols >= 8 * lanes) return columnsTile(lanes, shape);
  const fitting = 2 ** Math.floor(Math.log2(Math.max(1, shape.rows / lanes)));
  const rows = Math.min(4, fitting);
  // An odd number of subgroups would leave half of the last workgroup idle, which shows where there are few.
  const subgroups = Math.ceil(shape.rows / (lanes * rows));
  return {
    core: "subgroup",
    lanes,
    group: subgroups % 2 === 1 && subgroups < 16 ? lanes : lanes * 2,
    rows,
    cols,
  };
}

/** For a linear layer of a small batch, which lanes of rows would leave idle. Wide, so that each row of weights is read in long runs. */
function columnsTile(lanes: number, { op, rows }: ProductShape): Tile {
  const blocks = Math.ceil(rows / lanes);
  return {
    core: "columns",
    lanes,
    group: lanes,
    rows: Math.ceil(rows / blocks),
    cols: op === "forward" ? 16 : 8,
  };
}

function workgroupTile(shape: ProductShape): Tile {
  const cols = shape.cols <= 32 ? 4 : 8;
  if (shape.rows <= 32) {
    // A linear layer with a small batch: few rows, many columns.
    return { core: "workgroup", lanes: 1, group: 64, across: 8, rows: 4, cols: 4, depth: 4 };
  }
  const across = shape.cols <= 32 ? 32 : 16;
  return { core: "workgroup", lanes: 1, group: 256, across, rows: shape.cols <= 32 ? 4 : 8, cols, depth: 4 };
}

/** The narrowest width for so many columns, at most `most`. */
function widthFor(cols: number, most: number): number {
  return [4, 8, 16].find((width) => cols <= width && width <= most) ?? most;
}

/** Into how many partial sums a weight gradient is cut so that every core has work. */
export function chooseSplits(gpu: TileHost, shape: ProductShape, tile: Tile): number {
  const measured = gpu.tiles?.get(shape);
  if (measured?.splits !== undefined && measured.tile === tile) return measured.splits;
  const wanted = gpu.kind === "cpu" ? 16 : 256;
  if (tile.core === "split") return splitsPerGroup(tile) * wanted;
  const tiles = Math.ceil(shape.rows / rowsPerGroup(tile)) * Math.ceil(shape.cols / colsPerGroup(tile));
  const deepEnough = Math.ceil(shape.depth / 256);
  return Math.max(1, Math.min(Math.ceil(wanted / tiles), deepEnough, 64));
}
