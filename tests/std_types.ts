/**
 * Nothing here runs: `deno check` fails when a line below that expects an error has none, so calls of the standard
 * library are held to the types in `std.d.ts`.
 * @module
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import { parse } from "@std/csv/parse";
import { format } from "@std/fmt/duration";
import { contentType } from "@std/media-types";
import { join } from "@std/path";
import { TextLineStream } from "@std/streams/text-line-stream";
import { levenshteinDistance } from "@std/text/levenshtein-distance";
import { parseAll } from "@std/yaml";
// @ts-expect-error: no such name
import { assertEqual as _ } from "@std/assert";

/** Every call is mistyped. */
export async function mistyped(): Promise<void> {
  // @ts-expect-error: nothing to compare with
  assertEquals(1);
  // @ts-expect-error: a number and a text are never equal
  assertEquals(1, "1");
  // @ts-expect-error: no numbers
  assertAlmostEquals("1", "1");
  // @ts-expect-error: a text, not an expression
  assertMatch("a", "a");
  // @ts-expect-error: no function
  assertThrows(1);
  // @ts-expect-error: no class of errors
  assertThrows(() => {}, Uint8Array);
  // @ts-expect-error: what returns no promise cannot reject
  await assertRejects(() => 1);
  // @ts-expect-error: milliseconds are a number
  await delay("1");
  // @ts-expect-error: bytes, not texts
  concat(["a"]);
  // @ts-expect-error: text, not lines
  parse(["a,b"]);
  // @ts-expect-error: the option's name is `ignoreZero`
  format(1, { ignoreZeros: true });
  // @ts-expect-error: no extension
  contentType();
  // @ts-expect-error: a URL is no path
  join(new URL("file:///a"));
  // @ts-expect-error: text, not bytes
  new ReadableStream<Uint8Array>().pipeThrough(new TextLineStream());
  // @ts-expect-error: a second text to be far from
  levenshteinDistance("a");
  // @ts-expect-error: text, not bytes
  parseAll(new Uint8Array());
}

/** What the types promise of the results. */
export function narrowed(value: string | undefined): [number, RangeError] {
  assert(value !== undefined);
  return [value.length, assertThrows(() => {}, RangeError)];
}
