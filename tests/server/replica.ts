/**
 * One replica as a process: the server over the fake loader. Prints its address when it is ready; SIGTERM drains it.
 * Usage: replica.ts CHECKPOINT [PORT]
 * @module
 */
import { createLogger } from "../../server/inference/log.ts";
import { serveFake } from "./fixture.ts";

const server = await serveFake({
  sources: [{ name: "animals", path: Deno.args[0]! }],
  port: Number(Deno.args[1] ?? 0),
  log: createLogger("warn"),
  drainMs: 10_000,
  lameDuckMs: 1000,
  deviceTimeoutMs: 10_000,
  heartbeatMs: 5000,
});
console.log(server.url.host);
Deno.addSignalListener("SIGTERM", async () => Deno.exit(await server.drain() ? 0 : 1));
