/**
 * The default data set: coloured shapes drawn by this program, as real image files in a folder, so that no download is needed and the
 * same path runs as for anyone's photos.
 * @module
 */
import { basename, dirname, join, resolve } from "@std/path";
import { cachePlace } from "../cache_folder.ts";
import { DataError, listFolder, type SplitName } from "../dataset/listing.ts";
import { type ShapeFile, SHAPES, type ShapesReply, type ShapesRequest } from "./shape_drawing.ts";
import { makeDraft } from "../drafts.ts";

/** Where the pictures go unless another folder is named, relative to the working directory. */
export const SHAPES_FOLDER: string = cachePlace("shapes");

/** How many pictures each split has, all classes together. */
export type ShapeCounts = Readonly<Record<SplitName, number>>;

/** Enough to learn from and quick to draw. */
export const SHAPE_COUNTS: ShapeCounts = { train: 1600, valid: 200, test: 200 };

/** Changes whenever the same seed gives other pictures. */
const VERSION = 1;

/** The file that says what a finished folder holds. */
const MARKER = ".shapes.json";

/** Pictures of one split are numbered from here, so that none depends on how many another split has. */
const FIRST_ID: ShapeCounts = { train: 0, valid: 2 ** 24, test: 2 ** 25 };

/**
 * Makes sure that `dir` holds the pictures for `seed` and `counts`, in `dir/{train,valid,test}/<class>/NNNN.jpg`, and returns it. Does nothing
 * when they are there; draws anew when they are others or incomplete. Throws a `DataError` rather than replace anything else.
 */
export async function ensureShapes(
  dir: string = SHAPES_FOLDER,
  { seed = 1, counts = SHAPE_COUNTS, onProgress }: {
    seed?: number;
    counts?: ShapeCounts;
    /** Called after each picture. */
    onProgress?: ((done: number, total: number) => void) | undefined;
  } = {},
): Promise<string> {
  const marker = JSON.stringify({ version: VERSION, seed, counts });
  const found = await inspect(dir, marker, counts);
  if (found === "finished") return dir;
  const parent = dirname(resolve(dir));
  await Deno.mkdir(parent, { recursive: true });
  // Drawn elsewhere and moved when finished: so that the folder is whole whenever it is there.
  await using draft = await makeDraft(parent, `.${basename(resolve(dir))}-`);
  const scratch = draft.path;
  const drawing = join(scratch, "new");
  await draw(await plan(drawing, counts), seed, onProgress);
  await Deno.writeTextFile(join(drawing, MARKER), marker);
  if (found === "outdated") await Deno.rename(dir, join(scratch, "old"));
  await Deno.rename(drawing, dir).catch(async (error) => {
    if (await inspect(dir, marker, counts) !== "finished") throw error; // or another program was quicker
  });
  return dir;
}

async function inspect(
  dir: string,
  marker: string,
  counts: ShapeCounts,
): Promise<"finished" | "outdated" | "absent"> {
  const kind = await Deno.stat(dir).catch(() => null);
  if (kind === null) return "absent";
  const written = await Deno.readTextFile(join(dir, MARKER)).catch(() => null);
  if (written === null) {
    const { folders, files } = await listFolder(dir);
    if (folders.length + files.length === 0) return "absent";
    throw new DataError(`Cannot draw shapes into ${dir}: it holds other things`);
  }
  if (written !== marker) return "outdated";
  for (const [split, total] of Object.entries(counts)) {
    for (const [label, shape] of SHAPES.entries()) {
      const { files } = await listFolder(join(dir, split, shape)).catch(() => ({ files: [] }));
      if (files.length !== part(total, label)) return "outdated";
    }
  }
  return "finished";
}

/** Creates the folders and lists what is to be drawn. */
async function plan(dir: string, counts: ShapeCounts): Promise<ShapeFile[]> {
  const files: ShapeFile[] = [];
  for (const split of ["train", "valid", "test"] as const) {
    for (const [label, shape] of SHAPES.entries()) {
      const folder = join(dir, split, shape);
      await Deno.mkdir(folder, { recursive: true });
      for (let i = 0; i < part(counts[split], label); i++) {
        const id = FIRST_ID[split] + i * SHAPES.length + label;
        files.push({ path: join(folder, `${String(i).padStart(4, "0")}.jpg`), shape, id });
      }
    }
  }
  return files;
}

/** How many of `total` pictures class `label` gets: as equal as possible. */
function part(total: number, label: number): number {
  return Math.floor((total + SHAPES.length - 1 - label) / SHAPES.length);
}

/** Draws in as many threads as there are cores. */
async function draw(
  files: readonly ShapeFile[],
  seed: number,
  onProgress: ((done: number, total: number) => void) | undefined,
): Promise<void> {
  const threads = Math.min(navigator.hardwareConcurrency, Math.ceil(files.length / 50));
  const workers: Worker[] = [];
  let done = 0;
  try {
    await Promise.all(Array.from({ length: threads }, (_, thread) => {
      const worker = new Worker(new URL("./shape_drawing.ts", import.meta.url), { type: "module" });
      workers.push(worker);
      const mine = files.filter((_, i) => i % threads === thread);
      return new Promise<void>((resolve, reject) => {
        let left = mine.length;
        worker.onmessage = ({ data: { error } }: MessageEvent<ShapesReply>) => {
          if (error !== null) return reject(new DataError(`Cannot draw the default data set: ${error}`));
          onProgress?.(++done, files.length);
          if (--left === 0) resolve();
        };
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new DataError(`Cannot draw the default data set: ${event.message}`));
        };
        const request: ShapesRequest = { seed, files: mine };
        worker.postMessage(request);
      });
    }));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
