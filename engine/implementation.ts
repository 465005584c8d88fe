/**
 * Which implementation of WebGPU there is under the engine: Deno's own, which stands on wgpu, or Dawn, Chrome's.
 * @module
 */
import { join, resolve } from "@std/path";
import { pathToFileURL } from "node:url";
import { DRIVER_FOLDER } from "./driver.ts";
import { UserError } from "./errors.ts";

/** The environment's choice of an implementation. */
export const WEBGPU = "ALEXNET_WEBGPU";

/** The implementations; the first is the default. */
export const IMPLEMENTATIONS = ["deno", "dawn"] as const;

/** One of `IMPLEMENTATIONS`. */
export type Implementation = typeof IMPLEMENTATIONS[number];

/** What the package `webgpu` is used for here. */
interface DawnPackage {
  create(options: string[]): GPU;
}

/** Dawn's entry must stay alive as long as what came from it. */
let dawn: GPU | undefined;

/** The entry to WebGPU, or undefined where there is none. Throws a `UserError` where Dawn is wished for and cannot be loaded. */
export async function openWebGpu(): Promise<GPU | undefined> {
  return chosenImplementation() === "dawn" ? dawn ??= await loadDawn() : navigator.gpu;
}

/** The implementation that the environment asks for; throws a `UserError` for one that there is not. */
export function chosenImplementation(): Implementation {
  if (Deno.permissions.querySync({ name: "env", variable: WEBGPU }).state !== "granted") {
    return IMPLEMENTATIONS[0];
  }
  const wish = Deno.env.get(WEBGPU) || IMPLEMENTATIONS[0];
  const found = IMPLEMENTATIONS.find((name) => name === wish);
  if (found !== undefined) return found;
  throw new UserError(`${WEBGPU} is ${JSON.stringify(wish)}, wanted one of ${IMPLEMENTATIONS.join(", ")}`);
}

/** Where `deno task setup --dawn` puts the package, which is too large to be fetched for everybody. */
export const DAWN_FOLDER: string = join(DRIVER_FOLDER, "dawn");

async function loadDawn(): Promise<GPU> {
  const module = resolve(DAWN_FOLDER, "node_modules", "webgpu", "index.js");
  try {
    const { create }: DawnPackage = await import(pathToFileURL(module).href);
    return create([]);
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new UserError(`Cannot load Dawn (deno task setup --dawn fetches it): ${reason}`);
  }
}
