/**
 * Types of the functions of Deno's standard library that are used here: its mirror on npm is plain JavaScript and has
 * none. The import map in `deno.json` says what runs; `compilerOptions.types` names this file.
 */

declare module "@std/assert" {
  // deno-lint-ignore no-explicit-any -- any class will do
  type Class<T> = abstract new (...args: any[]) => T;

  /** Both must be alike in structure, and of one type. */
  export function assertEquals<T>(actual: T, expected: T, message?: string): void;
  export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
  /** The tolerance is absolute; left out, it is 1e-7 of what is expected. */
  export function assertAlmostEquals(
    actual: number,
    expected: number,
    tolerance?: number,
    message?: string,
  ): void;
  export function assert(condition: unknown, message?: string): asserts condition;
  export function assertInstanceOf<T>(
    actual: unknown,
    type: Class<T>,
    message?: string,
  ): asserts actual is T;
  export function assertMatch(actual: string, expected: RegExp, message?: string): void;
  export function assertStringIncludes(actual: string, expected: string, message?: string): void;

  /** Returns what was thrown; with a class, it must be an error of it, whose message has these words. */
  export function assertThrows<E extends Error>(
    run: () => unknown,
    type: Class<E>,
    words?: string,
    message?: string,
  ): E;
  export function assertThrows(run: () => unknown, message?: string): unknown;
  /** As `assertThrows`, for the promise that `run` must return. */
  export function assertRejects<E extends Error>(
    run: () => PromiseLike<unknown>,
    type: Class<E>,
    words?: string,
    message?: string,
  ): Promise<E>;
  export function assertRejects(run: () => PromiseLike<unknown>, message?: string): Promise<unknown>;
}

declare module "@std/async/delay" {
  /** Resolves after `ms` milliseconds; rejects when the signal is aborted. */
  export function delay(
    ms: number,
    options?: { readonly signal?: AbortSignal; readonly persistent?: boolean },
  ): Promise<void>;
}

declare module "@std/bytes/concat" {
  export function concat(parts: Iterable<Uint8Array>): Uint8Array<ArrayBuffer>;
}

declare module "@std/csv/parse" {
  /** The records of a CSV, each a list of fields; throws a `SyntaxError` where quotes do not match. */
  export function parse(text: string, options?: { trimLeadingSpace?: boolean }): string[][];
}

declare module "@std/fmt/bytes" {
  /** Such as `1.34 kB`. */
  export function format(bytes: number): string;
}

declare module "@std/fmt/duration" {
  /** Such as `1m 30s`. */
  export function format(ms: number, options?: { readonly ignoreZero?: boolean }): string;
}

declare module "@std/media-types" {
  /** The `Content-Type` of an extension with its dot. */
  export function contentType(extension: string): string | undefined;
}

declare module "@std/path" {
  export function basename(path: string, suffix?: string): string;
  export function dirname(path: string): string;
  export function extname(path: string): string;
  export function fromFileUrl(url: string | URL): string;
  export function isAbsolute(path: string): boolean;
  export function join(path: string, ...more: string[]): string;
  export function relative(from: string, to: string): string;
  export function resolve(...paths: string[]): string;
}

declare module "@std/streams/text-line-stream" {
  /** Cuts text at `\n` and `\r\n`, which are left out. */
  export class TextLineStream extends TransformStream<string, string> {
    /** `allowCR`: also at a lone `\r`. */
    constructor(options?: { readonly allowCR?: boolean });
  }
}

declare module "@std/text/levenshtein-distance" {
  /** Insertions, deletions and replacements of characters between two texts. */
  export function levenshteinDistance(a: string, b: string): number;
}

declare module "@std/yaml" {
  /** The values of every document in a file; throws a `SyntaxError` where it is no YAML. */
  export function parseAll(text: string): unknown[];
}
