/** Something is wrong with a data set, said in one sentence that names the place. */
export class DataError extends Error {
  override readonly name = "DataError";
}
