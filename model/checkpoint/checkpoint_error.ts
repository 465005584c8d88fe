/** A weights file that cannot be read, written or used, said in one sentence that names the place. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}
