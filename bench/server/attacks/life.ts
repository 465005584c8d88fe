/**
 * Attacks on what a server does in its life: more load than it can carry, decoders that die, the order to stop.
 * @module
 */
import { delay } from "@std/async/delay";
import { encodeJpeg } from "../../../data/shapes/shape_drawing.ts";
import { childProcesses } from "../server_process.ts";
import { again, type Attack, type AttackContext } from "./attack.ts";
import { ask, Connection, outcomeName, requestBytes } from "./connection.ts";

/** How long the attacker waits for one answer. */
const PATIENCE_MS = 30_000;

/** Clients that each ask again when they are answered, on connections that they keep; resolves with the answers 200 a second. */
async function closedLoop(
  { target, count }: AttackContext,
  request: Uint8Array,
  { clients, seconds, goesOn = () => true }: {
    clients: number;
    seconds: number;
    goesOn?: () => boolean;
  },
): Promise<number> {
  const started = performance.now();
  let good = 0;
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() - started < seconds * 1000 && goesOn()) {
      try {
        using connection = await Connection.open(target, PATIENCE_MS);
        while (connection.open && performance.now() - started < seconds * 1000 && goesOn()) {
          connection.send(request);
          const outcome = await connection.answer(PATIENCE_MS);
          count(outcome);
          if (outcomeName(outcome) === "200") good++;
          if (typeof outcome === "string") break;
        }
      } catch {
        count("refused");
        await delay(100);
      }
    }
  }));
  return good / ((performance.now() - started) / 1000);
}

/** A progressive JPEG whose last scan comes again and again: as large as it is wanted in time, and small in bytes. */
export async function manyScans(size: number, repeats: number): Promise<Uint8Array<ArrayBuffer>> {
  const data = new Uint8Array(size * size * 4).fill(128);
  const jpeg = await encodeJpeg({ width: size, height: size, data }, { progressive: true, quality: 50 });
  let scan = jpeg.length - 2; // before the end marker
  while (jpeg[scan] !== 0xff || jpeg[scan + 1] !== 0xda) scan--;
  const last = jpeg.subarray(scan, jpeg.length - 2);
  const bytes = new Uint8Array(scan + last.length * repeats + 2);
  bytes.set(jpeg.subarray(0, scan));
  for (let i = 0; i < repeats; i++) bytes.set(last, scan + i * last.length);
  bytes.set([0xff, 0xd9], bytes.length - 2);
  return bytes;
}

/** The attacks. */
export const lifeAttacks: readonly Attack[] = [
  {
    name: "JPEG of 2,000 scans",
    what:
      "a progressive JPEG of 4000 x 4000 pixels whose last scan is there 2,000 times, again when it is answered",
    async run({ target, seconds, count }) {
      const body = await manyScans(4000, 2000);
      const request = requestBytes("POST", "/predict", { headers: { Connection: "close" }, body });
      let slowestMs = 0;
      await again(seconds, 100, async () => {
        const { outcome, milliseconds } = await ask(target, request, PATIENCE_MS);
        count(outcome);
        slowestMs = Math.max(slowestMs, Math.round(milliseconds));
      });
      return { bytes: request.length, slowestMs };
    },
  },
  {
    name: "decoders killed",
    what: "kill -9 of a decoder every half second while eight clients send photos",
    async run(context) {
      const { server, photo, seconds } = context;
      const request = requestBytes("POST", "/predict", { body: photo });
      let done = false, kills = 0;
      const load = closedLoop(context, request, { clients: 8, seconds }).finally(() => done = true);
      while (!done) {
        await delay(500);
        for (const pid of (await childProcesses(server.pid)).slice(0, 1)) {
          Deno.kill(pid, "SIGKILL");
          kills++;
        }
      }
      return { perSecond: Math.round(await load), kills };
    },
  },
  {
    name: "SIGTERM under 200 clients",
    what: "SIGTERM with 300 ms to drain while 200 clients send photos",
    flags: ["--drain-ms", "300", "--lame-duck-ms", "0"],
    async run(context) {
      const { server, photo, leave } = context;
      const request = requestBytes("POST", "/predict", { body: photo });
      const load = closedLoop(context, request, {
        clients: 200,
        seconds: PATIENCE_MS / 1000,
        goesOn: () => server.code === undefined,
      });
      await delay(3000);
      const observed = leave();
      const started = performance.now();
      server.kill("SIGTERM");
      await load;
      await observed;
      return { endedAfterMs: Math.round(performance.now() - started), exitCode: server.code ?? null };
    },
  },
  {
    name: "640 clients",
    honestMeans: true,
    what:
      "photos by 640 clients that ask again when they are answered, after 16 clients that measure the capacity",
    async run(context) {
      const request = requestBytes("POST", "/predict", { body: context.photo });
      const quiet = { ...context, count: () => {} };
      const capacity = await closedLoop(quiet, request, { clients: 16, seconds: context.seconds / 2 });
      const goodput = await closedLoop(context, request, { clients: 640, seconds: context.seconds });
      const round = (value: number) => Math.round(value * 10) / 10;
      return {
        capacityPerSecond: round(capacity),
        goodputPerSecond: round(goodput),
        ratio: Math.round(100 * goodput / capacity) / 100,
      };
    },
  },
];
