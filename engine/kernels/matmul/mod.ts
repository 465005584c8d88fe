/**
 * The matrix core for ops of one's own: README.md beside this file says what an op's `.wgsl` has to define.
 * @module
 */
export { chooseTile, type TileChooser, type TileHost } from "./choose.ts";
export {
  blockM,
  blockN,
  colSumsPerSplit,
  type Operands,
  operandsOf,
  productSource,
  splitsPerGroup,
} from "./product.ts";
export {
  type ProductShape,
  type RecordedProduct,
  reportProduct,
  type Tile,
  type TileChoice,
  tilesId,
  tilesOf,
  TileTable,
  useTiles,
  watchProducts,
} from "./tiles.ts";
