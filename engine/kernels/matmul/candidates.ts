/**
 * Which tiles a device can run at all, and those worth measuring for a product.
 * @module
 */
import type { Gpu } from "../../gpu.ts";
import { alignTo4 } from "../../tensor.ts";
import { chooseSplitK, chooseTile } from "./choose.ts";
import { blockM, operandsOf, splitsPerGroup } from "./product.ts";
import type { ProductShape, Tile, TileChoice } from "./tiles.ts";

/** What the legality of a tile depends on. */
export type TileDevice = Pick<Gpu, "kind" | "subgroupSize" | "limits">;

/** Sums that one invocation may keep in registers; more only spill. */
const MOST_SUMS = 1024;

/** Whether the device can run this tile for this kind of product. */
export function tileFits(gpu: TileDevice, op: ProductShape["op"], tile: Tile): boolean {
  const { core, lanes, group, tm, tn, across = 1, bk = 4 } = tile;
  const { maxComputeInvocationsPerWorkgroup: most, maxComputeWorkgroupSizeX: mostX } = gpu.limits;
  const counts = [lanes, group, tm, tn, across, bk];
  if (counts.some((n) => !Number.isInteger(n) || n < 1) || tn % 4 !== 0) return false;
  if (group > most || group > mostX || tm * tn > MOST_SUMS) return false;
  const { aVector, bVector } = operandsOf(op, 4);
  if (aVector === "m" && tm % 4 !== 0) return false;
  if (core === "split") return aVector === "m" && bVector === "n";
  if (core === "columns") {
    return aVector === "k" && tm <= lanes && lanes === gpu.subgroupSize && group % lanes === 0;
  }
  if (core === "subgroup") return lanes === gpu.subgroupSize && group % lanes === 0;
  if (group % across !== 0) return false;
  // Vectors of a block, as the workgroup core lays them out.
  const perVector = (kind: string) => kind === "k" ? 1 : 4;
  const aHandles = blockM(tile) / perVector(aVector);
  const bHandles = group / across * tn / perVector(bVector);
  const aSteps = aVector === "k" ? bk : bk * 4, bSteps = bVector === "k" ? bk : bk * 4;
  const bytes = 16 * (aHandles * aSteps + bHandles * bSteps);
  const divides = aHandles % group === 0 || group % aHandles === 0;
  return divides && bytes <= gpu.limits.maxComputeWorkgroupStorageSize;
}

/** Tiles and splits worth measuring, the built-in choice first. `few`: only its nearest neighbours. */
export function candidates(gpu: TileDevice, shape: ProductShape, few = false): TileChoice[] {
  const { tile } = chooseTile(gpu, shape);
  const tiles = [tile, ...allTiles(gpu, shape, few)].filter((t) => tileFits(gpu, shape.op, t));
  const choices = tiles.flatMap((tile) =>
    splitsFor(gpu, shape, tile, few).map((splitK) => splitK === undefined ? { tile } : { tile, splitK })
  );
  return [...new Map(choices.map((c) => [JSON.stringify(c), c])).values()];
}

function allTiles(gpu: TileDevice, shape: ProductShape, few: boolean): Tile[] {
  const widest = Math.max(4, alignTo4(shape.n));
  const widths = [4, 8, 16, 32, 64].filter((width) => width < 2 * widest && width >= Math.min(8, widest));
  const heights = operandsOf(shape.op, 4).aVector === "m" ? [4, 8, 16] : [1, 2, 4, 8];
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
  return heights.flatMap((tm) =>
    widths.filter((tn) => tn * tm <= 256).flatMap((tn) =>
      groups.map((n) => ({ core: "subgroup", lanes, group: lanes * n, tm, tn } as const))
    )
  );
}

function columnsTiles({ subgroupSize: lanes }: TileDevice, { op, m, n }: ProductShape): Tile[] {
  if (op === "weight_grad" || m > 8 * lanes || n < lanes) return [];
  const tm = Math.min(lanes, 8, m);
  return [4, 8, 16, 32].map((tn) => ({ core: "columns", lanes, group: lanes, tm, tn } as const));
}

function splitTiles({ op, m, k }: ProductShape, widths: readonly number[]): Tile[] {
  if (op !== "weight_grad" || m > 64 || k < 1024) return [];
  const all = alignTo4(m), half = alignTo4(Math.ceil(m / 2));
  return [all, half].flatMap((tm) =>
    widths.filter((tn) => tn <= 16).map((tn) => ({ core: "split", lanes: 1, group: 8, tm, tn } as const))
  );
}

function workgroupTiles(few: boolean): Tile[] {
  const tiles: Tile[] = [];
  for (const [group, across] of [[64, 8], [128, 16], [256, 16], [256, 32]] as const) {
    for (const [tm, tn] of [[4, 4], [4, 8], [8, 4], [8, 8]] as const) {
      for (const bk of few ? [4] : [1, 2, 4]) {
        tiles.push({ core: "workgroup", lanes: 1, group, across, tm, tn, bk });
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
  const usual = chooseSplitK(gpu, shape, tile);
  const each = splitsPerGroup(tile);
  const bytes = shape.m * alignTo4(shape.n) * 4;
  const factors = few ? [1] : [1, 0.5, 2];
  return factors.map((f) => usual * f).filter((count) =>
    count === usual ||
    count % each === 0 && count >= 1 && count <= shape.k &&
      count * bytes <= gpu.limits.maxStorageBufferBindingSize / 2
  );
}
