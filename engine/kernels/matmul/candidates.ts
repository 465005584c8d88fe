/**
 * Which tiles a device can run at all, and which lie next to one.
 * @module
 */
import type { Gpu } from "../../device.ts";
import { alignTo4 } from "../../tensor.ts";
import { chooseSplitK, usualTiles } from "./choose.ts";
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

/**
 * What a search may try next to a choice: one of its numbers doubled or halved, a block of another form, and each other core once. Only
 * what the device can run.
 */
export function neighbours(gpu: TileDevice, shape: ProductShape, { tile, splitK }: TileChoice): TileChoice[] {
  const by = (factors: Partial<Record<"tm" | "tn" | "group" | "across" | "bk", number>>): Tile => ({
    ...tile,
    ...Object.fromEntries(
      Object.entries(factors).map(([key, factor]) => [key, (tile[key as keyof Tile] as number) * factor]),
    ),
  });
  const inBlocks = tile.core === "workgroup";
  const tiles = [
    ...[2, 0.5].flatMap((f) => [by({ tm: f }), by({ tn: f }), by({ group: f }), by({ tm: f, tn: 1 / f })]),
    ...(inBlocks
      ? [2, 0.5].flatMap((f) => [by({ across: f }), by({ bk: f }), by({ group: f, across: f })])
      : []),
    ...usualTiles(gpu, shape).filter(({ core }) => core !== tile.core),
  ];
  const choices = tiles.filter((t) => tileFits(gpu, shape.op, t)).map((t) => withSplits(gpu, shape, t));
  // Only weight gradients are cut.
  const splits = splitK === undefined
    ? []
    : [2, 0.5].map((factor) => splitK * factor).filter((n) => splitFits(gpu, shape, tile, n));
  return [...choices, ...splits.map((splitK) => ({ tile, splitK }))];
}

function withSplits(gpu: TileDevice, shape: ProductShape, tile: Tile): TileChoice {
  return shape.op === "weight_grad" ? { tile, splitK: chooseSplitK(gpu, shape, tile) } : { tile };
}

function splitFits(gpu: TileDevice, { m, n, k }: ProductShape, tile: Tile, splits: number): boolean {
  const bytes = m * alignTo4(n) * 4 * splits;
  return Number.isInteger(splits) && splits >= 1 && splits <= k && splits % splitsPerGroup(tile) === 0 &&
    bytes <= gpu.limits.maxStorageBufferBindingSize / 2;
}
