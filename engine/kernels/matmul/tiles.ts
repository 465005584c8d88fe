/**
 * How products are cut up, as plain data: a tile, and a table of the tiles that were measured to be best on one adapter.
 * @module
 */
import { createHash } from "node:crypto";

/** How a product is cut up. */
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
  /** Output rows of one invocation. */
  readonly rows: number;
  /** Output columns of one invocation, a multiple of four. */
  readonly cols: number;
  /** Invocations along the rows of a block, a divisor of `group`; used by `workgroup`. */
  readonly across?: number | undefined;
  /** Vectors along k that a block holds at a time; used by `workgroup`. */
  readonly depth?: number | undefined;
}

/** The size of a product. `depth` is the length of the sum. */
export interface ProductShape {
  readonly op: "forward" | "input_grad" | "weight_grad";
  readonly rows: number;
  readonly cols: number;
  readonly depth: number;
}

/** A tile and, for a weight gradient, into how many partial sums it is cut. */
export interface TileChoice {
  readonly tile: Tile;
  readonly splits?: number | undefined;
}

/** A product's name in a table, such as `forward 394272x16x36`. */
export function productKey({ op, rows, cols, depth }: ProductShape): string {
  return `${op} ${rows}x${cols}x${depth}`;
}

/** Measured choices by product. Results repeat bit by bit between runs with the same table. */
export class TileTable {
  /** Identity: tables with the same choices have the same, sixteen hexadecimal digits. */
  readonly id: string;

  /** `choices` by `productKey`. */
  constructor(readonly choices: ReadonlyMap<string, TileChoice>) {
    const text = [...choices].map(([key, choice]) => `${key} ${choiceText(choice)}`).sort().join("\n");
    this.id = createHash("sha256").update(text).digest("hex").slice(0, 16);
  }

  /** The choice for a product, if it was measured. */
  get(shape: ProductShape): TileChoice | undefined {
    return this.choices.get(productKey(shape));
  }
}

/** A choice in one line, such as `subgroup 4x32 group 16`. */
export function choiceText({ tile, splits }: TileChoice): string {
  const { core, rows, cols, group, lanes, across, depth } = tile;
  const shared = core === "workgroup"
    ? ` across ${across} depth ${depth}`
    : core === "subgroup"
    ? ` of ${lanes}`
    : "";
  return `${core}${shared} ${rows}x${cols} group ${group}${splits === undefined ? "" : ` splits ${splits}`}`;
}

/** Identity of the tiles a device uses, for a run's record: a table's `id`, or `built-in` where none is loaded. */
export function tilesId({ tiles }: { readonly tiles?: TileTable | undefined }): string {
  return tiles?.id ?? "built-in";
}
