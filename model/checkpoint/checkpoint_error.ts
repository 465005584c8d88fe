import { UserError } from "../../engine/errors.ts";

/** A weights file that cannot be read, written or used, said in one sentence that names the place. */
export class CheckpointError extends UserError {
  override readonly name = "CheckpointError";
}
