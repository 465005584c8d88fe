/**
 * Words for people that go with numbers.
 * @module
 */

/** A number and what it counts: `1 photo`, `2 photos`; `many` where the plural is not the noun with an s. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
