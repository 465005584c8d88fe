/**
 * Errors that people cause and can put right.
 * @module
 */

/**
 * Something that whoever called the program can put right: a file, a folder, an option, a device. The message is one sentence that says
 * what could not be done, what came and what was wanted; commands print it without a stack. Every other error is a fault of this
 * program and keeps its stack.
 */
export class UserError extends Error {
  /** The class's name. */
  override readonly name: string = "UserError";
}

/**
 * What `work` gives; a `RangeError` from it becomes a `UserError` of the same message. For calls whose numbers and names a person chose,
 * such as a model's name and its input size.
 */
export async function blameInput<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof RangeError ? new UserError(error.message, { cause: error }) : error;
  }
}
