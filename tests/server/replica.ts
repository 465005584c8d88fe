/**
 * One replica as a process: the server over the fake loader. Prints its address when it is ready; SIGTERM drains it.
 * Usage: replica.ts CHECKPOINT
 * @module
 */
import { decodeImage } from "../../data/image/decode.ts";
import { DEFAULT_LIMITS } from "../../server/http/context.ts";
import { createLogger } from "../../server/http/log.ts";
import { startServer } from "../../server/server.ts";

const server = await startServer({
  sources: [{ name: "animals", path: Deno.args[0]! }],
  loader: new URL("./fake_loader.ts", import.meta.url),
  decoder: { decode: decodeImage, close: () => {} },
  log: createLogger("warn"),
  hostname: "127.0.0.1",
  port: 0,
  limits: DEFAULT_LIMITS,
  maxBatch: 8,
  maxDelayMs: 5,
  maxQueue: 64,
  watchMs: 0,
  drainMs: 10_000,
  lameDuckMs: 1000,
  deviceTimeoutMs: 10_000,
  heartbeatMs: 5000,
});
console.log(server.url.host);
Deno.addSignalListener("SIGTERM", async () => Deno.exit(await server.drain() ? 0 : 1));
