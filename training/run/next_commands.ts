/**
 * What people do with a run that is done, as command lines that can be copied.
 * @module
 */
import { dirname, join } from "@std/path";

/** Tries the network on a photo, answers HTTP requests with it, and writes it for other programs. */
export function nextCommands(
  { best, last }: { readonly best: string | undefined; readonly last: string },
  windows = Deno.build.os === "windows",
): string[] {
  // The run's folder means its best checkpoint.
  const run = dirname(last), checkpoint = shellWord(best === undefined ? last : run, windows);
  const onnx = shellWord(join(run, best === undefined ? "last.onnx" : "best.onnx"), windows);
  return [
    `deno task predict --checkpoint ${checkpoint} photo.jpg`,
    `deno task serve --checkpoint ${checkpoint}`,
    `deno task export ${checkpoint} ${onnx}`,
  ];
}

/** A text as one word of a shell's command line: in quotes where it needs them. */
export function shellWord(text: string, windows = Deno.build.os === "windows"): string {
  if (windows) return /^[\w@%+:,./\\-]+$/.test(text) ? text : `"${text}"`;
  return /^[\w@%+:,./=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
