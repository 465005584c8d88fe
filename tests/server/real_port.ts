/**
 * A server on a real port over the fake loader, with its GPU worker.
 * @module
 */
import { decodeImage } from "../../data/image/decode.ts";
import { DEFAULT_LIMITS, type Limits } from "../../server/http/context.ts";
import { createLogger } from "../../server/http/log.ts";
import { type ServerOptions, startServer } from "../../server/server.ts";
import type { FakeCheckpoint } from "./fake_loader.ts";

/** Options, and the checkpoint to serve. */
export interface PortOptions extends Partial<Omit<ServerOptions, "limits">> {
  readonly limits?: Partial<Limits>;
  readonly checkpoint?: FakeCheckpoint;
  /** The checkpoint's text, instead. */
  readonly text?: string;
}

/** Starts it; dispose of it at the test's end. */
export async function serveFake({ checkpoint = {}, text, limits, ...options }: PortOptions = {}) {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/model.json`;
  await Deno.writeTextFile(path, text ?? JSON.stringify(checkpoint));
  const lines: Record<string, unknown>[] = [];
  try {
    const server = await startServer({
      sources: [{ name: "animals", path }],
      loader: new URL("./fake_loader.ts", import.meta.url),
      decoder: { decode: decodeImage, close: () => {} },
      log: createLogger("debug", (line) => lines.push(JSON.parse(line))),
      hostname: "127.0.0.1",
      port: 0,
      limits: { ...DEFAULT_LIMITS, ...limits },
      maxBatch: 8,
      maxDelayMs: 5,
      maxQueue: 64,
      watchMs: 0,
      drainMs: 20_000,
      lameDuckMs: 0,
      deviceTimeoutMs: 20_000,
      heartbeatMs: 1e6,
      ...options,
    });
    const ask = async (path: string, init?: RequestInit) => {
      const response = await fetch(new URL(path, server.url), init);
      return { status: response.status, headers: response.headers, text: await response.text() };
    };
    const clean = async () => {
      await server.close();
      await Deno.remove(folder, { recursive: true });
    };
    return { ...server, path, lines, ask, [Symbol.asyncDispose]: clean };
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** Waits until `check` holds; the test runner's own limit ends a wait that is in vain. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!await check()) await new Promise((resolve) => setTimeout(resolve, 5));
}
