/**
 * Attacks by connections: many that say nothing, many that never finish what they say, many that do not listen.
 * @module
 */
import { delay } from "@std/async/delay";
import { concat } from "@std/bytes/concat";
import type { Attack, AttackContext } from "./attack.ts";
import { Connection, requestBytes } from "./connection.ts";

/** Opens that many, a hundred at a time; those that the server does not take within five seconds are counted alone. */
async function openMany({ target, count }: AttackContext, wanted: number): Promise<Connection[]> {
  const open: Connection[] = [];
  for (let at = 0; at < wanted; at += 100) {
    await Promise.all(Array.from({ length: Math.min(100, wanted - at) }, async () => {
      try {
        open.push(await Connection.open(target, 5000));
        count("connected");
      } catch {
        count("refused");
      }
    }));
  }
  return open;
}

/** How many are still open, and when the server closed the others, in seconds of their lives; closes all. */
function fates(connections: readonly Connection[]) {
  const lives = connections.flatMap(({ closedAfterMs }) =>
    closedAfterMs === undefined ? [] : [closedAfterMs]
  );
  const seconds = (ms: number) => Math.round(ms / 100) / 10;
  const stillOpen = connections.filter(({ open }) => open).length;
  for (const connection of connections) connection[Symbol.dispose]();
  return {
    opened: connections.length,
    stillOpen,
    closedByServer: lives.length,
    firstClosedAfterS: lives.length === 0 ? null : seconds(lives.reduce((a, b) => Math.min(a, b))),
    lastClosedAfterS: lives.length === 0 ? null : seconds(lives.reduce((a, b) => Math.max(a, b))),
  };
}

async function holdIdle(context: AttackContext, wanted: number) {
  const connections = await openMany(context, wanted);
  await delay(context.seconds * 1000);
  return fates(connections);
}

/** Opens them, begins each with `bytes`, and sends each `drop` every two seconds. */
async function drip(context: AttackContext, wanted: number, bytes: Uint8Array, drop: Uint8Array) {
  const connections = await openMany(context, wanted);
  for (const connection of connections) connection.send(bytes);
  const end = performance.now() + context.seconds * 1000;
  while (performance.now() < end) {
    await delay(2000);
    for (const connection of connections) connection.send(drop);
  }
  return fates(connections);
}

const encode = (text: string) => new TextEncoder().encode(text);

/** The attacks. */
export const connectionAttacks: readonly Attack[] = [
  {
    name: "1,200 idle, 1,024 files",
    what: "1,200 idle connections to a server that may have 1,024 files open",
    openFiles: 1024,
    run: (context) => holdIdle(context, 1200),
  },
  {
    name: "10,000 idle",
    what: "10,000 idle connections",
    run: (context) => holdIdle(context, 10_000),
  },
  {
    name: "3,000 slow headers",
    what: "3,000 connections that send one byte of a header every two seconds",
    run: (context) =>
      drip(context, 3000, encode("POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "), encode("a")),
  },
  {
    name: "1,000 slow bodies",
    what: "1,000 connections that send one byte of a body of 1 kB every two seconds",
    run: (context) => drip(context, 1000, requestBytes("POST", "/predict", { announce: 1000 }), encode("a")),
  },
  {
    name: "200 that do not listen",
    what: "200 connections that each ask 300 times for /openapi.json at once and read nothing of the answers",
    async run({ target, seconds, count }) {
      const { hostname, port } = target;
      const requests = concat(Array.from({ length: 300 }, () => requestBytes("GET", "/openapi.json")));
      const connections: Deno.TcpConn[] = [];
      for (let i = 0; i < 200; i++) {
        const connection = await Deno.connect({ hostname, port });
        connections.push(connection);
        connection.write(requests).then(() => count("sent"), () => count("cut"));
      }
      await delay(seconds * 1000);
      for (const connection of connections) connection.close();
    },
  },
];
