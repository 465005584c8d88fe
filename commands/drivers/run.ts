/**
 * Running a program of the system and reading what it says.
 * @module
 */

/** A program that could not be started, failed, or took too long; the message is its own last complaint. */
export class ProgramError extends Error {
  /** The class's name. */
  override readonly name = "ProgramError";
}

/** What a run of a program may be told. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Given up after so long. */
  readonly milliseconds?: number;
}

/** The program's standard output; throws a `ProgramError`. */
export async function outputOf(
  [program, ...args]: readonly [string, ...string[]],
  { cwd, env = {}, milliseconds = 300_000 }: RunOptions = {},
): Promise<string> {
  const signal = AbortSignal.timeout(milliseconds);
  let result: Deno.CommandOutput;
  try {
    result = await new Deno.Command(program, {
      args,
      env: { LC_ALL: "C", ...env },
      stdin: "null",
      signal,
      ...cwd === undefined ? {} : { cwd },
    }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new ProgramError(`there is no ${program}`);
    throw error;
  }
  const [stdout, stderr] = [result.stdout, result.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (result.success) return stdout!;
  if (signal.aborted) throw new ProgramError(`${program} took longer than ${milliseconds / 1000} s`);
  throw new ProgramError(complaintIn(stderr!) ?? `${program} ended with code ${result.code}`);
}

/** The line of a program's complaints that says most: apt's first error, or the last line. */
function complaintIn(text: string): string | undefined {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const line = lines.find((line) => /^(E|Err):/.test(line)) ?? lines.at(-1);
  return line?.replace(/^(E|Err):\s*/, "");
}
