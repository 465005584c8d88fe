/** Files of the C++ program that this project descends from, where they are at hand. */
import { present } from "../permissions.ts";

const root = new URL("../../../shared/seed/", import.meta.url);

/** Whether they are; tests that need them are skipped by name where they are not. */
export const haveSeed: boolean = present(root);

/** The path of one of them. */
export function seedPath(name: string): string {
  return new URL(name, root).pathname;
}

/** A file of raw f32 values. */
export function seedFloats(name: string): Float32Array {
  return new Float32Array(Deno.readFileSync(seedPath(name)).buffer);
}

/** A JSON file. */
// deno-lint-ignore no-explicit-any -- the tests say which fields they read
export function seedJson(name: string): any {
  return JSON.parse(Deno.readTextFileSync(seedPath(name)));
}
