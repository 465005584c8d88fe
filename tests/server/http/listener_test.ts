import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, fromFileUrl } from "@std/path";
import process from "node:process";
import { encodePhoto, serveFake, textLines, until } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const PHOTO = await encodePhoto([200, 10, 10]);
const post = (body: BodyInit) => ({ method: "POST", body });

/** A connection that sends this text; `answer` resolves with all that came until the other end closed it. */
async function open(url: URL, text = "") {
  const connection = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
  await connection.write(new TextEncoder().encode(text));
  const answer = async () => await new Response(connection.readable).text().catch(() => "reset");
  return { connection, answer };
}

test("headers that come too slowly, or never, are answered with 408 and their connections closed", async () => {
  await using server = await serveFake({ headerTimeoutMs: 300 });
  for (const text of ["", "GET /health HTTP/1.1\r\nHost: "]) {
    const { answer } = await open(server.url, text);
    const received = await answer();
    assert(received.startsWith("HTTP/1.1 408"), received);
    assertStringIncludes(received, '{"error":"');
  }
  const { text } = await server.ask("/metrics");
  assertStringIncludes(text, 'alexnet_rejected_requests_total{reason="slow headers"} 2');
});

test("connections whose headers never end are refused once each, and leave nothing on their sockets", async () => {
  const warnings: string[] = [];
  const note = ({ name }: Error) => warnings.push(name);
  process.on("warning", note);
  try {
    await using server = await serveFake();
    const more = new TextEncoder().encode("X: a\r\n".repeat(10_000));
    await Promise.all(Array.from({ length: 60 }, async () => {
      const { connection, answer } = await open(server.url, "GET / HTTP/1.1\r\nHost: a\r\n");
      try {
        for (let i = 0; i < 40; i++) await connection.write(more);
      } catch {
        // It is cut off.
      }
      await answer();
    }));
    const { text } = await server.ask("/metrics");
    assertStringIncludes(text, 'alexnet_rejected_requests_total{reason="malformed"} 60');
    assertEquals(warnings, []);
  } finally {
    process.off("warning", note);
  }
});

test("a connection that is idle after its answer is closed after a time", async () => {
  await using server = await serveFake({ keepAliveMs: 300 });
  const { answer } = await open(server.url, "GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n");
  const received = await answer();
  assert(received.startsWith("HTTP/1.1 200") && received.endsWith('{"live":true}'), received);
});

test("beyond the limit of connections the idle ones are closed, and whoever asks is answered", async () => {
  await using server = await serveFake({ maxConnections: 16 });
  const idle = await Promise.all(Array.from({ length: 60 }, () => open(server.url)));
  const { status } = await server.ask("/predict", post(PHOTO));
  assertEquals(status, 200);
  const { text } = await server.ask("/metrics");
  const connections = Number(/^alexnet_connections (\d+)$/m.exec(text)![1]);
  assert(connections <= 16, `${connections}`);
  assertStringIncludes(text, 'alexnet_rejected_requests_total{reason="connections"}');
  for (const { connection } of idle) connection.close();
});

test("a connection with a request under way is not the one that is closed for another", async () => {
  await using server = await serveFake({ maxConnections: 4, checkpoint: { delayMs: 300 } });
  const asked = server.ask("/predict", post(PHOTO));
  await until(() => server.models.resolve().batcher.load === 1);
  const others = [];
  for (let i = 0; i < 12; i++) others.push(await open(server.url));
  assertEquals((await asked).status, 200);
  for (const { connection } of others) connection.close();
});

test("a server that may open few files goes on answering while more connections come than it can take", async () => {
  const checkpoint = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(checkpoint, "{}");
  const replica = fromFileUrl(new URL("../replica.ts", import.meta.url));
  const child = new Deno.Command("sh", {
    args: ["-c", `ulimit -n 500; exec "$0" run -A --quiet "$1" "$2"`, Deno.execPath(), replica, checkpoint],
    cwd: dirname(replica),
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = textLines(child.stdout).getReader();
  let host = "";
  while (!/^127\.0\.0\.1:\d+$/.test(host)) host = (await lines.read()).value!;
  const url = new URL(`http://${host}/`);
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(new URL(path, url), init);
    await response.body?.cancel();
    return response.status;
  };
  const idle = [];
  for (let i = 0; i < 600; i++) idle.push(await open(url));
  assertEquals(await ask("/predict", post(PHOTO)), 200);
  for (const { connection } of idle) connection.close();
  assertEquals(await ask("/v2/health/ready"), 200);
  await lines.cancel();
  child.kill("SIGTERM");
  await child.status;
  await Deno.remove(checkpoint);
});

test("a client that reads only after it has sent everything learns that its body is too large", async () => {
  await using server = await serveFake();
  const length = 21_000_000;
  const { connection, answer } = await open(
    server.url,
    `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`,
  );
  const piece = new Uint8Array(1_000_000);
  for (let at = 0; at < length;) at += await connection.write(piece.subarray(0, length - at));
  const received = await answer();
  assert(received.startsWith("HTTP/1.1 413"), received);
});

test("bodies that are announced and never come keep nobody from being answered", async () => {
  await using server = await serveFake({ limits: { maxBodiesBytes: 1_000_000 } });
  const head = "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n";
  const silent = await Promise.all(Array.from({ length: 20 }, () => open(server.url, head)));
  assertEquals((await server.ask("/predict", post(PHOTO))).status, 200);
  for (const { connection } of silent) connection.close();
});

test("one client may have half of the memory for bodies", async () => {
  await using server = await serveFake({
    limits: { maxBodiesBytes: 1_000_000 },
    trustedProxies: ["127.0.0.1"],
  });
  const head = (client: string) =>
    `POST /predict HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: ${client}\r\nContent-Length: 700000\r\n\r\n`;
  const greedy = await open(server.url, head("10.0.0.1"));
  const piece = new Uint8Array(450_000);
  for (let at = 0; at < piece.length;) at += await greedy.connection.write(piece.subarray(at));
  const ask = (client: string) => {
    const headers = { "x-forwarded-for": client };
    return server.ask("/predict", { ...post(new Uint8Array(200_000)), headers });
  };
  await until(async () => (await ask("10.0.0.1")).status === 429);
  assertEquals((await ask("10.0.0.2")).status, 415); // taken, and found to be no image
  greedy.connection.close();
});

test("a body that comes more slowly than the least rate is given up long before the time for bodies", async () => {
  await using server = await serveFake({ limits: { bodyTimeoutMs: 100_000, minBodyRate: 1_000_000 } });
  const head = "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n";
  const { connection, answer } = await open(server.url, head);
  const timer = setInterval(() => void connection.write(new Uint8Array(100)).catch(() => {}), 200);
  const received = await answer();
  clearInterval(timer);
  assert(received.startsWith("HTTP/1.1 408"), received);
});

test("requests sent without waiting are answered one after the other, in their order", async () => {
  await using server = await serveFake();
  const paths = ["/v2/health/live", "/nowhere", "/v2"];
  const requests = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const last = "GET /v2/health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  const { answer } = await open(server.url, requests.join("") + last);
  const statuses = [...(await answer()).matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status);
  assertEquals(statuses, ["200", "404", "200", "200"]);
});

test("a client that sends hundreds of requests and reads no answer is let go", async () => {
  await using server = await serveFake();
  const { answer } = await open(server.url, "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(300));
  const received = await answer();
  assert(received === "reset" || received.split("HTTP/1.1 200").length <= 65, received.slice(0, 200));
  assertStringIncludes((await server.ask("/metrics")).text, 'requests_total{reason="pipelined"} 1');
});

for (
  const [what, text, status] of [
    ["malformed chunk", "POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
    [
      "request with two lengths",
      "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      400,
    ],
    ["header of 100 kB", `GET / HTTP/1.1\r\nHost: a\r\nA: ${"b".repeat(100_000)}\r\n\r\n`, 431],
    ["request without a host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["CONNECT", "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", 405],
  ] as const
) {
  test(`a ${what} is answered with ${status} by the port itself`, async () => {
    await using server = await serveFake();
    const { answer } = await open(server.url, text);
    const received = await answer();
    assert(received.startsWith(`HTTP/1.1 ${status}`), received);
  });
}

test("what is under way when the time to drain is over is answered with 503", async () => {
  const closed = Promise.withResolvers<never>();
  const decoder = {
    decode: () => closed.promise,
    close: () => closed.reject(new Error("the decoder is closed")),
  };
  closed.promise.catch(() => {});
  await using server = await serveFake({ decoder, drainMs: 200 });
  const asked = Array.from({ length: 8 }, () => server.ask("/predict", post(PHOTO)));
  await until(() => server.models.resolve().batcher.load === 8);
  assertEquals(await server.drain(), false);
  assertEquals((await Promise.all(asked)).map(({ status }) => status), Array(8).fill(503));
});
