/**
 * What goes wrong in a server's life, done to it from outside: checkpoints that change, for better or worse, decoders and devices that end.
 * @module
 */
import { delay } from "@std/async/delay";
import { childProcesses, type ServerProcess } from "./server_process.ts";

/** What the faults work on. */
export interface Patient {
  /** Started with `device_loss.ts` loaded before it. */
  readonly server: ServerProcess;
  /** The checkpoint that it serves; the faults write there. */
  readonly path: string;
  /** The bytes that belong there. */
  readonly checkpoint: Uint8Array;
}

/** Puts a file in the place of another at once, as whoever publishes a model should. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.writeFile(`${path}.new`, bytes);
  await Deno.rename(`${path}.new`, path);
}

/** Long enough for the server to look at its files, at their default interval. */
const NOTICED_MS = 2500;

/** Each fault, and which of them are worth a line in the log. They come one after another, in this order. */
export const FAULTS = {
  "checkpoint touched": async ({ path }) => await Deno.utime(path, new Date(), new Date()),
  "decoder killed": async ({ server }) => {
    const [decoder] = await childProcesses(server.pid);
    if (decoder !== undefined) Deno.kill(decoder, "SIGKILL");
  },
  "checkpoint replaced": async ({ path, checkpoint }) => await replace(path, checkpoint),
  "checkpoint broken, then mended": async ({ path, checkpoint }) => {
    await replace(path, checkpoint.subarray(0, checkpoint.length / 2));
    await delay(NOTICED_MS);
    await replace(path, checkpoint);
  },
  "reload by SIGHUP": ({ server }) => Promise.resolve(server.kill("SIGHUP")),
  "device lost": ({ server }) => Promise.resolve(server.kill("SIGUSR2")),
} as const satisfies Record<string, (patient: Patient) => Promise<void>>;

/** A fault's name. */
export type Fault = keyof typeof FAULTS;
