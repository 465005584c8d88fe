/**
 * Tests that need permissions. `deno test` without any flag runs every test that needs none and ignores the others,
 * whose names then end in the flags that they want; `deno test -A` runs all.
 * @module
 */
import { existsSync } from "node:fs";

/** What Deno can be asked to allow; `all` is `-A`. */
export type Permission = "all" | "env" | "ffi" | "net" | "read" | "run" | "sys" | "write";

const KINDS = ["env", "ffi", "net", "read", "run", "sys", "write"] as const;

/** Whether all of them are granted without restriction; never asks. */
export function granted(...permissions: readonly Permission[]): boolean {
  return permissions.flatMap((name) => name === "all" ? KINDS : [name])
    .every((name) => Deno.permissions.querySync({ name }).state === "granted");
}

/** Whether a file or folder is there and may be read: some tests use what may lie beside the project. */
export function present(path: string | URL): boolean {
  return granted("read") && existsSync(path);
}

/** Registers a test as `Deno.test` does. */
export interface Test {
  (name: string, fn: Deno.TestDefinition["fn"]): void;
  (definition: Deno.TestDefinition): void;
}

/** `Deno.test` for tests that need these permissions. Without them they are ignored, and their names say what is missing. */
export function testNeeding(...permissions: readonly Permission[]): Test {
  const missing = permissions.filter((name) => !granted(name));
  const flags = missing.map((name) => name === "all" ? "-A" : `--allow-${name}`).join(" ");
  return (definition: string | Deno.TestDefinition, fn?: Deno.TestDefinition["fn"]) => {
    const test = typeof definition === "string" ? { name: definition, fn: fn! } : definition;
    Deno.test(missing.length === 0 ? test : { ...test, name: `${test.name} (needs ${flags})`, ignore: true });
  };
}
