/**
 * Walks a class's folder: what in it is a photo by its name or its first bytes, and what is left out, and why. Every file is one or the
 * other, so that none vanishes without a word.
 * @module
 */
import { join } from "@std/path";
import { count } from "../../engine/text.ts";
import { isBmp } from "../image/bmp.ts";
import { PHOTO_FORMATS } from "../image/formats.ts";
import { ByteReader } from "../image/image.ts";

/** A file that is not used. */
export interface LeftOut {
  /** The file. */
  readonly path: string;
  /** Why, in a word or two that stand after a count: `JPEG XL`, `hidden`, `cannot be decoded`. */
  readonly reason: string;
}

/** What a folder holds. */
export interface Walked {
  /** Photos, by their paths in the folder with `/` between the parts, sorted by code unit. */
  readonly photos: readonly string[];
  /** The other files, in the same order. */
  readonly leftOut: readonly LeftOut[];
}

/** Why a photo beside the folders of classes is left out. */
export const LOOSE = "in no class folder";

const IMAGE_NAME = new RegExp(`\\.(${PHOTO_FORMATS.flatMap(({ endings }) => endings).join("|")})$`, "i");

/** How the names of pictures end that `explain` writes beside photos: they are no photos themselves. */
export const EXPLAINED = ".gradcam.jpg";

/** Raw formats begin as TIFF does, but what a TIFF decoder finds in them is a thumbnail. */
const RAW_NAME = /\.(3fr|arw|cr2|dng|iiq|nef|nrw|pef|srw)$/i;

/** Those of `files` that are named as photos. */
export function imageNames(files: readonly string[]): string[] {
  return files.filter((name) => IMAGE_NAME.test(name));
}

/**
 * Everything in `folder` and the folders in it. A name that ends as a photo's does makes a file one (decoding tells whether it is); any
 * other file is one if it begins as one. Links are followed, but to nothing that the walk meets anyway, and a folder
 * never twice. Throws what Deno throws where `folder` cannot be read.
 */
export async function walkPhotos(folder: string): Promise<Walked> {
  const root = await Deno.realPath(folder);
  const photos: string[] = [], leftOut: LeftOut[] = [];
  const linked = new Set<string>();

  /** Whether a link leads to what the walk meets anyway. */
  const known = async (path: string) => {
    const target = await Deno.realPath(path);
    const inside = target === root || target.startsWith(join(root, "/")) ||
      root.startsWith(join(target, "/"));
    return inside || linked.size === linked.add(target).size;
  };
  const walk = async (inner: string, hidden: boolean) => {
    for (const entry of await entriesOf(join(folder, inner))) {
      const { name, isSymlink } = entry;
      const file = inner === "" ? name : `${inner}/${name}`, path = join(folder, file);
      const skip = (reason: string) => void leftOut.push({ path, reason });
      const kind = isSymlink ? await Deno.stat(path).catch(() => null) : entry;
      const secret = hidden || name.startsWith(".");
      if (kind === null) skip("unreadable");
      else if (isSymlink && await known(path)) skip("linked twice");
      else if (kind.isDirectory) {
        await walk(file, secret).catch((error) => {
          if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound)) {
            throw error;
          }
          skip("unreadable");
        });
      } else if (secret) skip("hidden");
      else if (!kind.isFile) skip("no file");
      else if (name.endsWith(EXPLAINED)) skip("Grad-CAM");
      else if (IMAGE_NAME.test(name)) photos.push(file);
      else {
        const found = RAW_NAME.test(name) ? "camera raw" : await kindOf(path);
        if (found === "photo") photos.push(file);
        else skip(found);
      }
    }
  };
  await walk("", false);
  return { photos: photos.sort(), leftOut };
}

async function entriesOf(folder: string): Promise<Deno.DirEntry[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** What lies at an offset of files of a kind, as Latin-1; `photo` is what the decoders take. */
const BEGINNINGS: readonly (readonly [kind: string, offset: number, ...texts: string[]])[] = [
  ["photo", 0, "\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF8", "II*\0", "MM\0*", "II+\0", "MM\0+"],
  ["photo", 8, "WEBP"],
  [
    "photo",
    4,
    ...["avif", "avis", "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"].map((b) =>
      `ftyp${b}`
    ),
  ],
  ["JPEG 2000", 0, "\0\0\0\x0cjP  \r\n", "\xff\x4f\xff\x51"],
  ["JPEG XL", 0, "\xff\x0a", "\0\0\0\x0cJXL "],
  ["Photoshop", 0, "8BPS"],
  ["PDF", 0, "%PDF"],
];

async function kindOf(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(32), count = await file.read(bytes) ?? 0;
    if (isBmp(new ByteReader(bytes.subarray(0, count)))) return "photo";
    const start = String.fromCharCode(...bytes.subarray(0, count));
    const known = BEGINNINGS.find(([_, offset, ...texts]) =>
      texts.some((text) => start.startsWith(text, offset))
    );
    return known?.[0] ?? "no photo";
  } catch {
    return "unreadable";
  }
}

/**
 * What is left out of how many files, by reason, the most frequent first, each with its first names below `dir`; undefined for nothing.
 * `where` says which files were counted.
 */
export function leftOutText(
  dir: string,
  leftOut: readonly LeftOut[],
  files: number,
  where = "",
): string | undefined {
  if (leftOut.length === 0) return undefined;
  const reasons = [...Map.groupBy(leftOut, (file) => file.reason)].sort((a, b) => b[1].length - a[1].length);
  const texts = reasons.map(([reason, list]) => {
    const names = list.slice(0, 3).map(({ path }) => nameBelow(dir, path));
    return `${list.length} ${reason} (${names.join(", ")}${list.length > 3 ? ", …" : ""})`;
  });
  return `Left out ${leftOut.length} of ${count(files, "file")}${where}: ${texts.join("; ")}`;
}

/** A path without the folder that it lies in. */
export function nameBelow(dir: string, path: string): string {
  const parent = join(dir, "/");
  return path.startsWith(parent) ? path.slice(parent.length) : path;
}
