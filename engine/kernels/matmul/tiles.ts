/**
 * How products are cut up, as plain data: a tile, and a table of the tiles that were measured to be best on one adapter.
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { AnyTensor } from "../../tensor.ts";
import { fingerprint } from "../../random.ts";

/** How a product is cut up, in the terms of GEMM libraries. */
export interface Tile {
  /**
   * How invocations share values: `subgroup`, each lane its rows and columns handed round by broadcast; `workgroup`, blocks in
   * workgroup memory; `split`, nothing shared, each invocation sums a part of k, for weight gradients of few rows; `columns`, each
   * lane its columns and rows handed round, for other products of few rows.
   */
  readonly core: "subgroup" | "workgroup" | "split" | "columns";
  /** Lanes of a subgroup; used by `subgroup` and `columns`. */
  readonly lanes: number;
  /** Invocations of a workgroup; for `subgroup` and `columns` a multiple of `lanes`. */
  readonly group: number;
  /** TM: rows of one invocation. */
  readonly tm: number;
  /** TN: columns of one invocation, a multiple of four. */
  readonly tn: number;
  /** Invocations along the rows of a block, a divisor of `group`; used by `workgroup`. */
  readonly across?: number | undefined;
  /** BK: vectors along k that a block holds at a time; used by `workgroup`. */
  readonly bk?: number | undefined;
}

/** The size of a product: M rows, N columns, sums over K steps. */
export interface ProductShape {
  readonly op: "forward" | "input_grad" | "weight_grad";
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** A tile and, for a weight gradient, into how many partial sums K is cut (split-K). */
export interface TileChoice {
  readonly tile: Tile;
  readonly splitK?: number | undefined;
}

/** A product's name in a table, such as `forward 394272x16x36`. */
export function productKey({ op, m, n, k }: ProductShape): string {
  return `${op} ${m}x${n}x${k}`;
}

/** Measured choices by product. Results repeat bit by bit between runs with the same table. */
export class TileTable {
  /** Identity: tables with the same choices have the same, sixteen hexadecimal digits. */
  readonly id: string;

  /** `choices` by `productKey`. */
  constructor(readonly choices: ReadonlyMap<string, TileChoice>) {
    this.id = fingerprint(
      [...choices].map(([key, choice]) => `${key} ${choiceText(choice)}`).sort().join("\n"),
    );
  }

  /** The choice for a product, if it was measured. */
  get(shape: ProductShape): TileChoice | undefined {
    return this.choices.get(productKey(shape));
  }
}

/** A choice in one line, such as `subgroup 4x32 group 16`. */
export function choiceText({ tile, splitK }: TileChoice): string {
  const { core, tm, tn, group, lanes, across, bk } = tile;
  const shared = core === "workgroup"
    ? ` across ${across} depth ${bk}`
    : core === "subgroup"
    ? ` of ${lanes}`
    : "";
  return `${core}${shared} ${tm}x${tn} group ${group}${splitK === undefined ? "" : ` splits ${splitK}`}`;
}

const tables = new WeakMap<object, TileTable>();

/** Makes plans that are built on this device from now on use measured tiles. */
export function useTiles(gpu: object, table: TileTable): void {
  tables.set(gpu, table);
}

/** The measured tiles that a device uses, if there are any. */
export function tilesOf(gpu: object): TileTable | undefined {
  return tables.get(gpu);
}

/** Identity of the tiles a device uses, for a run's record: a table's `id`, or `built-in` where none is loaded. */
export function tilesId(gpu: object): string {
  return tilesOf(gpu)?.id ?? "built-in";
}

/** A product that an op has recorded into a plan, and the way to record it once more, cut up otherwise. */
export interface RecordedProduct {
  readonly shape: ProductShape;
  /** What it was recorded with. */
  readonly choice: TileChoice;
  /** Number of its first launch in the plan. */
  readonly first: number;
  /** Records the same product on the same inputs into another plan; returns the tensors it writes, the plan's own. */
  record(plan: Plan, choice: TileChoice): readonly AnyTensor[];
}

const watched = new WeakMap<Plan, RecordedProduct[]>();

/** The products that ops record into this plan from now on: `tune` measures exactly these. */
export function watchProducts(plan: Plan): readonly RecordedProduct[] {
  const products: RecordedProduct[] = [];
  watched.set(plan, products);
  return products;
}

/** Called by ops for each product they record. */
export function reportProduct(plan: Plan, product: RecordedProduct): void {
  watched.get(plan)?.push(product);
}
