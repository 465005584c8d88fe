import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeRequests } from "../../bench/server/load_generator.ts";
import {
  freePort,
  loadProcess,
  meanMB,
  residentBytes,
  ServerProcess,
  watchMemory,
} from "../../bench/server/server_process.ts";
import { parseInferRequest } from "../../server/inference/infer_request.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const linux = Deno.build.os === "linux";
const script = (text: string) => `data:application/typescript,${encodeURIComponent(text)}`;

/** Knows one model of this size and counts what it is asked. */
function serveModel(size: number) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`);
    await request.arrayBuffer();
    return Response.json({ name: "animals", preprocess: { height: size, width: size } });
  });
  const url = new URL(`http://127.0.0.1:${server.addr.port}/`);
  return { url, asked, [Symbol.asyncDispose]: () => server.shutdown() };
}

test("photos to send are a folder's, one after the other and again from the first", async () => {
  const folder = await Deno.makeTempDir();
  const url = new URL("http://127.0.0.1/");
  try {
    await assertRejects(() => makeRequests({ url, mode: "photo" }), Error, "--mode photo needs --photos");
    await assertRejects(
      () => makeRequests({ url, mode: "photo", photos: folder }),
      Error,
      "there is none in",
    );
    for (const name of ["a.jpg", "b.png", "c.txt"]) await Deno.writeTextFile(`${folder}/${name}`, name);
    const request = await makeRequests({ url, mode: "photo", photos: folder });
    const sent = [0, 1, 2].map((i) => new TextDecoder().decode(request(i).init!.body as Uint8Array));
    assertEquals(sent, ["a.jpg", "b.png", "a.jpg"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("tensors to send have the model's size, as binary data and as JSON", async () => {
  await using model = serveModel(5);
  for (const mode of ["tensor", "tensor-json"] as const) {
    const request = await makeRequests({ url: model.url, mode, batch: 2 });
    const { path, init } = request(0);
    assertEquals(path, "/v2/models/animals/infer");
    const headers = new Headers(init!.headers);
    const body = new Uint8Array(await new Response(init!.body).arrayBuffer());
    const length = headers.get("inference-header-content-length");
    const taken = { height: 5, width: 5, places: 2, largest: 10 };
    const { input } = parseInferRequest(body, length === null ? undefined : Number(length), taken);
    assertEquals([input.name, input.shape, input.data.length], ["input", [2, 3, 5, 5], 2 * 3 * 5 * 5 * 4]);
  }
});

test("a load generator of its own process tells what it measured", async () => {
  await using model = serveModel(1);
  const result = await loadProcess(model.url, "--mode", "get", "--path", "/model", "--max-requests", "5");
  assertEquals(result.codes, { 200: result.requests });
  assert(result.requests >= 5 && model.asked.every((line) => line === "GET /model"));
  await assertRejects(() => loadProcess(model.url, "--mode", "photo"), Error, "ended with code 2");
});

test("a server process is there when it is ready, and ends when asked", async () => {
  const port = freePort();
  const text = `Deno.serve({ port: ${port}, hostname: "127.0.0.1" }, () => new Response());
    Deno.addSignalListener("SIGTERM", () => Deno.exit(7));`;
  await using server = await ServerProcess.start(["-A", script(text)], port);
  assertEquals((await fetch(server.url)).status, 200);
  assertEquals(await server.stop(), 7);
  await assertRejects(() => ServerProcess.start([script("Deno.exit(3)")], port), Error, "ended with code 3");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`a bench that is ended by ${signal} ends the servers it started`, async () => {
    const port = freePort();
    const answering = script(`Deno.serve({ port: ${port}, hostname: "127.0.0.1" }, () => new Response());`);
    const module = new URL("../../bench/server/server_process.ts", import.meta.url);
    const bench = script(`import { ServerProcess } from "${module}";
      await ServerProcess.start(["-A", ${JSON.stringify(answering)}], ${port});
      console.log("started");
      await new Promise(() => setInterval(() => {}, 1000));`);
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--config", new URL("../../deno.json", import.meta.url).pathname, bench],
      stdout: "piped",
    }).spawn();
    const printed = process.stdout.getReader();
    await printed.read();
    assertEquals((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
    process.kill(signal);
    assertEquals((await process.status).code, signal === "SIGINT" ? 130 : 143);
    await assertRejects(() => fetch(`http://127.0.0.1:${port}/`), TypeError);
    await printed.cancel();
  });
}

test({
  name: "memory is that of a process and its descendants",
  ignore: !linux,
  fn: async () => {
    const alone = await residentBytes(Deno.pid);
    await using _child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "setInterval(() => {}, 1000)"],
    }).spawn();
    while (await residentBytes(Deno.pid) < alone + 10e6) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    using watch = watchMemory(Deno.pid, 5);
    while (watch.samples.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    assert(watch.samples.every(({ residentMB }) => residentMB > 10));
    await assertRejects(() => residentBytes(2 ** 30), Error, "it does not run");
  },
});

Deno.test("the mean memory of a part of the time counts the samples of that part", () => {
  const samples = [100, 200, 300, 400, 500].map((residentMB, seconds) => ({ seconds, residentMB }));
  assertEquals(meanMB(samples, 0, 1), 300);
  assertEquals(meanMB(samples, 0.25, 0.5), 250);
  assertEquals(meanMB(samples, 0.9, 0.95), null);
  assertEquals(meanMB([], 0, 1), null);
});
