import { UserError } from "../engine/errors.ts";

/** Something is wrong with a data set, said in one sentence that names the place. */
export class DataError extends UserError {
  override readonly name = "DataError";
}
