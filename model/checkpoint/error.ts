/**
 * What can be wrong with weights.
 * @module
 */
import { UserError } from "../../engine/errors.ts";

/** A weights file that cannot be read, written or used, said in one sentence that names the place. */
export class CheckpointError extends UserError {
  /** The class's name. */
  override readonly name = "CheckpointError";
}
