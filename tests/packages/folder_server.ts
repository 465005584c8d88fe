/**
 * A plain file server on a free port, as any static host is one.
 * @module
 */
import { contentType } from "@std/media-types";
import { extname, join } from "@std/path";

/** A folder and where it is served. */
export interface Folder extends AsyncDisposable {
  /** The folder. */
  readonly path: string;
  /** Its address. */
  readonly url: URL;
  /** Ends the server and leaves the folder. */
  stop(): Promise<void>;
}

/** Serves a folder, or a new temporary one that is gone afterwards, below `prefix`, a path that ends in a slash. */
export async function serveFolder(prefix = "/", given?: string): Promise<Folder> {
  const path = given ?? await Deno.makeTempDir();
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const name = pathname.endsWith("/") ? `${pathname}index.html` : pathname;
    if (!name.startsWith(prefix)) return new Response("not found", { status: 404 });
    try {
      const bytes = await Deno.readFile(join(path, name.slice(prefix.length)));
      const type: string = contentType(extname(name)) ?? "application/octet-stream";
      return new Response(bytes, { headers: { "Content-Type": type } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answer);
  let stopped = false;
  const stop = async () => {
    if (!stopped) await server.shutdown();
    stopped = true;
  };
  return {
    path,
    url: new URL(prefix, `http://127.0.0.1:${server.addr.port}`),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      if (given === undefined) await Deno.remove(path, { recursive: true });
    },
  };
}
