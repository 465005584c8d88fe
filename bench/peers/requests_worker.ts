/**
 * Reads a contender's standard input in a thread of its own and hands each line on. When the input ends, whoever asked is gone, however
 * that came, and the process ends at once: the main thread may be in a loop that submits steps for minutes and notices nothing.
 * @module
 */
import { lines } from "./protocol.ts";

for await (const line of lines(Deno.stdin.readable)) (self as unknown as Worker).postMessage(line);
// `Deno.exit` in a worker would end the worker alone.
Deno.kill(Deno.pid, "SIGKILL");
