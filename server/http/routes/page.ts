/**
 * The page at `/`, the documentation at `/docs`, and their files: read once, served from memory.
 * @module
 */
import { contentType } from "@std/media-types";
import { createHash } from "node:crypto";
import { extname } from "@std/path";
import { type App, createPart } from "../context.ts";

/** Path and file of everything that browsers load; nothing else of the folder is reachable. */
const FILES = {
  "/": "index.html",
  "/docs": "docs.html",
  "/assets/api.js": "api.js",
  "/assets/app.js": "app.js",
  "/assets/camera.js": "camera.js",
  "/assets/card.js": "card.js",
  "/assets/docs.js": "docs.js",
  "/assets/base.css": "base.css",
  "/assets/stage.css": "stage.css",
  "/assets/result.css": "result.css",
  "/assets/card.css": "card.css",
  "/assets/docs.css": "docs.css",
  "/favicon.svg": "favicon.svg",
} as const;

/** The routes; rejects where a file is missing. */
export async function pageRoutes(): Promise<App> {
  const app = createPart();
  for (const [path, file] of Object.entries(FILES)) {
    const bytes = await Deno.readFile(new URL(`../../page/${file}`, import.meta.url));
    const etag = `"${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}"`;
    const type = contentType(extname(file)) ?? "application/octet-stream";
    app.get(path, (c) => {
      const headers = { ETag: etag, "Cache-Control": "no-cache" };
      if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
      return c.body(bytes, 200, { ...headers, "Content-Type": type });
    });
  }
  return app;
}
