import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { type AddressInfo, createServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { emptyElements, emptyStrings, gzipBomb } from "../../bench/server/attacks/bodies.ts";
import { ask, Connection, parseAnswer, requestBytes } from "../../bench/server/attacks/connection.ts";
import { manyScans } from "../../bench/server/attacks/life.ts";
import { formRequest } from "../../bench/server/attacks/messages.ts";
import { startObservers, summarise } from "../../bench/server/attacks/observers.ts";
import { childProcesses, freePort, ServerProcess } from "../../bench/server/server_process.ts";
import { decodeImage } from "../../data/image/decode.ts";
import { parseInferRequest } from "../../server/inference/infer_request.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const encode = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Answers every connection's first bytes with these and keeps it open; with null it says nothing and closes. */
async function serveBytes(answer: Uint8Array | null) {
  const received: string[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes: Uint8Array) => {
      received.push(text(bytes));
      if (answer === null) socket.destroy();
      else socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = { hostname: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { target, received, [Symbol.asyncDispose]: close };
}

Deno.test("an answer is read from the bytes of one connection when it is whole, whatever its framing", () => {
  const framed = [
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
  ];
  for (const wire of framed) {
    for (let end = 0; end < wire.length; end++) {
      assertEquals(parseAnswer(encode(wire.slice(0, end))), undefined, wire.slice(0, end));
    }
    const answer = parseAnswer(concat([encode(wire), encode("HTTP/1.1 404")]))!;
    assertEquals([answer.status, text(answer.body), answer.length], [200, "hello", wire.length]);
  }
  const toTheEnd = encode("HTTP/1.1 500 No\r\nA: b: c\r\n\r\nrest");
  assertEquals(parseAnswer(toTheEnd), undefined);
  const answer = parseAnswer(toTheEnd, { ended: true })!;
  assertEquals([answer.status, answer.headers, text(answer.body)], [500, { a: "b: c" }, "rest"]);
  const head = encode("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  assertEquals(parseAnswer(head, { head: true })?.length, head.length);
});

Deno.test("a request says its length, another one where that is wanted, and its host", () => {
  const body = encode("abc");
  assertEquals(
    text(requestBytes("POST", "/a", { headers: { X: "y" }, body })),
    "POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nX: y\r\nContent-Length: 3\r\n\r\nabc",
  );
  assertEquals(
    text(requestBytes("POST", "/a", { announce: 9, headers: { host: "b" } })),
    "POST /a HTTP/1.1\r\nhost: b\r\nContent-Length: 9\r\n\r\n",
  );
  assertEquals(text(requestBytes("GET", "/")), "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
});

test("requests on one connection are answered in turn", async () => {
  await using server = await serveBytes(encode("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
  using connection = await Connection.open(server.target);
  for (let i = 0; i < 3; i++) {
    connection.send(requestBytes("GET", `/${i}`));
    const answer = await connection.answer(60_000);
    assert(typeof answer !== "string" && text(answer.body) === "ok");
  }
  assertEquals(server.received.map((request) => request.split(" ")[1]), ["/0", "/1", "/2"]);
  assertEquals([connection.open, connection.closedAfterMs], [true, undefined]);
});

test("a request without an answer says how it came to none", async () => {
  const request = requestBytes("GET", "/");
  await using closing = await serveBytes(null);
  assertEquals((await ask(closing.target, request, 60_000)).outcome, "cut");
  await using half = await serveBytes(encode("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"));
  assertEquals((await ask(half.target, request, 50)).outcome, "none");
  const nobody = { hostname: "127.0.0.1", port: freePort() };
  assertEquals((await ask(nobody, request, 60_000)).outcome, "refused");
  using connection = await Connection.open(closing.target);
  connection.send(request);
  await connection.answer(60_000);
  assert(connection.closedAfterMs !== undefined && !connection.open);
});

test("honest clients are watched from a thread of their own, each request on a connection of its own", async () => {
  await using server = await serveBytes(
    encode("HTTP/1.1 429 No\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"),
  );
  const observers = startObservers(server.target, encode("photo"));
  const has = (start: string) => server.received.some((request) => request.startsWith(start));
  while (!has("POST /predict") || !has("GET /health")) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { photo, health } = await observers.stop();
  assertEquals(photo.length + health.length, server.received.length);
  assert([...photo, ...health].every(({ name, retryAfter }) => name === "429" && retryAfter));
});

test("the attacks' files are what they say", async () => {
  const zeros = new Uint8Array(gunzipSync(await gzipBomb(2)));
  assertEquals([zeros.length, zeros.some((byte) => byte !== 0)], [2e6, false]);
  const jpeg = await manyScans(40, 7);
  const scans = (bytes: Uint8Array) =>
    bytes.filter((byte, i) => byte === 0xff && bytes[i + 1] === 0xda).length;
  assertEquals(scans(jpeg) - scans(await manyScans(40, 1)), 6);
  const { width, height } = await decodeImage(jpeg);
  assertEquals([width, height], [40, 40]);
  const { body, headers } = parseMessage(emptyElements("m", 5));
  const model = { height: 8, width: 8, places: 8, largest: 1000 };
  const length = Number(headers.get("inference-header-content-length"));
  const { input } = parseInferRequest(body, length, model);
  assertEquals([input.shape, input.data.length], [[5], 5]);
  assertEquals(JSON.parse(text(parseMessage(emptyStrings("m", 3)).body)).inputs[0].data, ["", "", ""]);
  const form = parseMessage(formRequest(encode("a photo"), 3));
  const parts = (await new Response(form.body, { headers: form.headers }).formData()).getAll("image");
  assertEquals(await Promise.all(parts.map((part) => (part as File).text())), Array(3).fill("a photo"));
});

/** A request's headers and body. */
function parseMessage(bytes: Uint8Array<ArrayBuffer>) {
  const [head] = text(bytes).split("\r\n\r\n");
  const lines = head!.split("\r\n").slice(1).map((line) => line.split(": ") as [string, string]);
  return { headers: new Headers(lines), body: bytes.slice(head!.length + 4) };
}

Deno.test("what a client saw is told in shares and percentiles", () => {
  const seen = (name: string, milliseconds: number, retryAfter = false) => ({
    name,
    milliseconds,
    retryAfter,
  });
  assertEquals(
    summarise([
      seen("200", 10),
      seen("200", 1200),
      seen("429", 50, true),
      seen("429", 50),
      seen("none", 3e4),
    ]),
    {
      requests: 5,
      statuses: { 200: 2, 429: 2, none: 1 },
      p50Ms: 50,
      p99Ms: 30_000,
      longestMs: 30_000,
      answeredIn1s: 0.2,
      servedOrRefusedWell: 0.4,
    },
  );
  assertEquals([summarise([]).requests, summarise([]).answeredIn1s], [0, 0]);
});

test({
  name: "a server process may be given fewer open files, is heard, and tells its children and its end",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const port = freePort();
    const script = `Deno.serve({ port: ${port}, hostname: "127.0.0.1", onListen: () => {} }, async () =>
        new Response(await Deno.readTextFile("/proc/self/limits")));
      console.log("first");
      new Deno.Command("sleep", { args: ["100"] }).spawn();
      Deno.addSignalListener("SIGUSR1", () => Deno.exit(5));`;
    const url = `data:application/typescript,${encodeURIComponent(script)}`;
    const lines: string[] = [];
    const options = { openFiles: 200, onLine: (line: string) => lines.push(line) };
    await using server = await ServerProcess.start(["-A", url], port, options);
    const limits = await (await fetch(server.url)).text();
    assert(/^Max open files +200 +200 /m.test(limits), limits);
    let [sleeper] = await childProcesses(server.pid);
    while (sleeper === undefined) [sleeper] = await childProcesses(server.pid);
    Deno.kill(sleeper, "SIGKILL");
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals([lines, server.code], [["first"], undefined]);
    server.kill("SIGUSR1");
    while (server.code === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(server.code, 5);
    server.kill("SIGUSR1"); // it has ended: nothing happens
  },
});

test("a server's device ends on a signal, of which whoever listens to its thread learns", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/gpu_worker.ts`,
      `self.onmessage = ({ data }) => { self.port = data; setInterval(() => {}, 1000); self.postMessage(null); }`,
    );
    const port = freePort();
    const script = `${folder}/server.ts`;
    await Deno.writeTextFile(
      script,
      `import { MessageChannel } from "node:worker_threads";
      const { port1, port2 } = new MessageChannel();
      port1.on("close", () => Deno.exit(9));
      port1.start();
      const worker = new Worker(new URL("./gpu_worker.ts", import.meta.url), { type: "module" });
      worker.postMessage(port2, [port2]);
      await new Promise((resolve) => worker.onmessage = resolve);
      Deno.serve({ port: ${port}, hostname: "127.0.0.1", onListen: () => {} }, () => new Response());`,
    );
    const preload = new URL("../../bench/server/device_loss.ts", import.meta.url).pathname;
    const args = ["-A", "--no-check", "--preload", preload, script];
    await using server = await ServerProcess.start(args, port);
    server.kill("SIGUSR2");
    while (server.code === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(server.code, 9);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
