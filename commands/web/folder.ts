/**
 * A static folder that classifies photos on its visitors' own devices: the page, the engine and one model, for any host of plain files.
 * @module
 */
import { dirname, fromFileUrl, join } from "@std/path";
import type { ModelCard } from "../../model/checkpoint/card.ts";
import { fingerprint } from "../../engine/random.ts";
import { pageFor } from "../../server/page_for.ts";
import { buildEngineModule, ENGINE_MODULE } from "./engine_module.ts";

/** Where each file of `server/page` goes. The service worker keeps what lies at or below its own place, so it is not in `assets`. */
const PAGE: Readonly<Record<string, string>> = {
  "index.html": "index.html",
  "doctor.html": "doctor.html",
  "train.html": "train.html",
  "favicon.svg": "favicon.svg",
  "manifest.json": "manifest.json",
  ...Object.fromEntries(
    [
      "api.js",
      "base.css",
      "camera.js",
      "card.css",
      "card.js",
      "device.js",
      "device_worker.js",
      "doctor.css",
      "doctor.js",
      "folder_app.js",
      "live.js",
      "project.js",
      "result.css",
      "stage.css",
      "train.css",
      "train.js",
      "view.js",
    ].map((file) => [file, `assets/${file}`]),
  ),
};

/** The last file that is written: a folder that has it was made here and is whole. */
export const SERVICE_WORKER = "service_worker.js";

/** What a folder shows. */
export interface WebModel {
  /** What the page calls it. */
  readonly name: string;
  /** Its card. */
  readonly card: ModelCard;
  /** The checkpoint's file, byte by byte. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

/** What was written. */
export interface WebFolder {
  /** Files. */
  readonly files: number;
  /** Their bytes. */
  readonly bytes: number;
  /** Their bytes as web servers compress them. */
  readonly compressed: number;
}

/** Writes the folder; throws a `UserError` where the engine cannot be built, and what Deno throws where a file cannot be written. */
export async function writeWebFolder(
  folder: string,
  { name, card, weights }: WebModel,
): Promise<WebFolder> {
  const { split: _, ...told } = card; // which photos it has seen is of no use to a page
  const texts = new TextEncoder();
  const written = new Map<string, Uint8Array<ArrayBuffer>>([
    ["model/model.safetensors", weights],
    ["model/card.json", texts.encode(JSON.stringify({ name, ...told }))],
  ]);
  const page = new URL("../../server/page/", import.meta.url);
  for (const [file, place] of Object.entries(PAGE)) {
    const bytes = await Deno.readFile(new URL(file, page));
    const isPage = file.endsWith(".html");
    written.set(place, isPage ? texts.encode(pageFor("folder", new TextDecoder().decode(bytes))) : bytes);
  }
  for (const [place, bytes] of written) await write(join(folder, place), bytes);
  const engine = join(folder, "assets", ENGINE_MODULE);
  await buildEngineModule(engine, { sourceMap: false });
  written.set(`assets/${ENGINE_MODULE}`, await Deno.readFile(engine));

  const worker = texts.encode(await serviceWorker(written, fromFileUrl(new URL(SERVICE_WORKER, page))));
  await write(join(folder, SERVICE_WORKER), worker);
  written.set(SERVICE_WORKER, worker);
  const all = [...written.values()];
  const sizes = await Promise.all(all.map(gzipped));
  return { files: all.length, bytes: sum(all.map(({ length }) => length)), compressed: sum(sizes) };
}

/** Its text with the names of all files before it, and a version that changes with any of them: then browsers fetch them anew. */
async function serviceWorker(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  path: string,
): Promise<string> {
  const hashes = await Promise.all(
    [...files].map(async ([place, bytes]) =>
      `${place} ${new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex()}`
    ),
  );
  const text = await Deno.readTextFile(path);
  // A folder's address stands for its page.
  const places = ["./", ...files.keys()];
  const version = fingerprint([...hashes, text].sort().join("\n"));
  return `const VERSION = ${JSON.stringify(version)};\nconst FILES = ${JSON.stringify(places)};\n${text}`;
}

async function write(path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeFile(path, bytes);
}

async function gzipped(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
