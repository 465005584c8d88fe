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
