import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { TRICKS } from "./fake_loader.ts";
import { encodePhoto, serveFake, until } from "./fixture.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const PHOTO = await encodePhoto([200, 10, 10]);
const post = (body: BodyInit) => ({ method: "POST", body });

/** A photo that makes the fake device misbehave. */
const trick = async (name: keyof typeof TRICKS) => await encodePhoto([TRICKS[name], 0, 0]);

test("a server answers on its port", async () => {
  await using server = await serveFake();
  const { status, text } = await server.ask("/predict", post(PHOTO));
  assertEquals([status, JSON.parse(text).class], [200, "red"]);
  assertEquals((await server.ask("/v2/health/ready")).status, 200);
});

test("the repository's requests are read from the connection, whether small, large or without a body", async () => {
  await using server = await serveFake();
  const ask = async (body?: string) =>
    (await server.ask("/v2/repository/index", { method: "POST", ...(body === undefined ? {} : { body }) }))
      .status;
  assertEquals(await ask(), 200);
  assertEquals(await ask('{"ready":true}'), 200);
  assertEquals(await ask("[".repeat(2_000_000)), 413);
});

test("a checkpoint that cannot be loaded fails the start with its name, and frees the port", async () => {
  const error = await assertRejects(() => serveFake({ text: "junk" }), Error, "Cannot open the checkpoint");
  assertStringIncludes(error.message, "model.json");
  const missing = { sources: [{ name: "a", path: "/nowhere/best.safetensors" }] };
  await assertRejects(() => serveFake(missing), Error, "there is no such file");
});

test("a port that is taken fails the start", async () => {
  await using server = await serveFake();
  await assertRejects(() => serveFake({ port: Number(server.url.port) }), Deno.errors.AddrInUse);
});

test("while it drains a server is not ready, and answers everything it has accepted", async () => {
  await using server = await serveFake({ checkpoint: { delayMs: 150 }, maxBatch: 2, lameDuckMs: 100 });
  const asked = Array.from({ length: 8 }, () => server.ask("/predict", post(PHOTO)));
  await until(() => server.models.resolve().batcher.load === 8);
  const drained = server.drain();
  assertEquals((await server.ask("/v2/health/ready")).status, 503);
  assertEquals((await server.ask("/v2/health/live")).status, 200);
  const late = await server.ask("/predict", post(PHOTO));
  assertEquals([late.status, late.headers.get("connection")], [200, "close"]);
  assertEquals((await Promise.all(asked)).map(({ status }) => status), Array(8).fill(200));
  assertEquals(await drained, true);
  await assertRejects(() => server.ask("/health"), TypeError);
});

test("a drain ends in its time even when a request does not", async () => {
  await using server = await serveFake({ drainMs: 300 });
  const hung = server.ask("/predict", post(await trick("hang")));
  await until(() => server.models.resolve().batcher.load === 1);
  assertEquals(await server.drain(), false);
  assertEquals((await hung).status, 503);
});

for (const how of ["loseDevice", "endWorker", "crash"] as const) {
  test(`when the device ends by ${how}, requests are 503 for a while, then right again without a restart`, async () => {
    await using server = await serveFake();
    const { status, headers } = await server.ask("/predict", post(await trick(how)));
    assertEquals([status, headers.get("retry-after")], [503, "1"]);
    await until(async () => (await server.ask("/v2/health/ready")).status === 200);
    const answer = await server.ask("/predict", post(PHOTO));
    assertEquals([answer.status, JSON.parse(answer.text).class], [200, "red"]);
    assertStringIncludes((await server.ask("/metrics")).text, "alexnet_device_losses_total 1");
  });
}

test("a device that hangs is given up, and the server recovers", async () => {
  await using server = await serveFake({ deviceTimeoutMs: 500 });
  const { status } = await server.ask("/predict", post(await trick("hang")));
  assertEquals(status, 503);
  await until(async () => (await server.ask("/predict", post(PHOTO))).status === 200);
});

test("a device that does not answer makes the server not ready before it is given up", async () => {
  await using server = await serveFake({ deviceTimeoutMs: 2000 });
  const hung = server.ask("/predict", post(await trick("hang")));
  await until(async () => (await server.ask("/v2/health/ready")).status === 503);
  assertEquals(JSON.parse((await server.ask("/health")).text).status, "unavailable");
  assertEquals((await hung).status, 503);
});

test("while no device can be had the server lives, is not ready, and comes back when one is there", async () => {
  const away = await Deno.makeTempFile();
  await Deno.remove(away);
  await using server = await serveFake({ checkpoint: { failsWhile: away } });
  await Deno.writeTextFile(away, "");
  server.killDevice();
  await until(() => server.lines.filter((line) => line.message === "device not recovered yet").length >= 2);
  assertEquals((await server.ask("/v2/health/live")).status, 200);
  const health = await server.ask("/health");
  assertEquals([health.status, JSON.parse(health.text).status], [503, "recovering"]);
  assertEquals((await server.ask("/predict", post(PHOTO))).status, 503);
  await Deno.remove(away);
  await until(async () => (await server.ask("/predict", post(PHOTO))).status === 200);
});

test("a device that dies while nobody asks is found out", async () => {
  await using server = await serveFake({ heartbeatMs: 50, deviceTimeoutMs: 1000 });
  const losses = () => server.lines.filter((line) => line.message === "device lost").length;
  server.killDevice();
  await until(() => losses() === 1);
  await until(async () => (await server.ask("/v2/health/ready")).status === 200);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assertEquals(losses(), 1, "a healthy device answers its heartbeats");
});

test("killed again and again under load, the server answers 200 or 503 and nothing else", async () => {
  await using server = await serveFake({ checkpoint: { delayMs: 2 } });
  const counts: Record<number, number> = {};
  let running = true;
  const clients = Array.from({ length: 4 }, async () => {
    while (running) {
      const { status } = await server.ask("/predict", post(PHOTO));
      counts[status] = (counts[status] ?? 0) + 1;
    }
  });
  for (let i = 0; i < 5; i++) {
    const before = counts[200] ?? 0;
    await until(() => (counts[200] ?? 0) > before + 10);
    server.killDevice();
  }
  const before = counts[200] ?? 0;
  await until(() => (counts[200] ?? 0) > before + 10);
  running = false;
  await Promise.all(clients);
  assertEquals(Object.keys(counts).filter((code) => code !== "200" && code !== "503"), []);
});

test("a replaced file is picked up by itself", async () => {
  await using server = await serveFake({ watchMs: 20 });
  await Deno.writeTextFile(server.path + ".new", JSON.stringify({ classes: ["x", "y", "z"] }));
  await Deno.rename(server.path + ".new", server.path);
  await until(async () => JSON.parse((await server.ask("/predict", post(PHOTO))).text).class === "x");
});

test("requests that differ share passes when they come together", async () => {
  await using server = await serveFake({ checkpoint: { delayMs: 30 } });
  const photos = await Promise.all(
    Array.from({ length: 12 }, (_, i) => encodePhoto(i % 2 ? [200, 10, 10] : [10, 10, 200])),
  );
  const answers = await Promise.all(photos.map((photo) => server.ask("/predict", post(photo))));
  assertEquals(
    answers.map(({ text }) => JSON.parse(text).class),
    photos.map((_, i) => i % 2 ? "red" : "blue"),
  );
  const metrics = (await server.ask("/metrics")).text;
  const passes = Number(/alexnet_batch_size_count\{model="animals"\} (\d+)/.exec(metrics)![1]);
  assert(passes < 12, `${passes} passes`);
});

test("overload ends every request with 200, 429 or 504, and the next one is answered", async () => {
  await using server = await serveFake({
    checkpoint: { delayMs: 40 },
    maxBatch: 2,
    maxQueue: 8,
    limits: { timeoutMs: 100 },
  });
  const counts: Record<number, number> = {};
  await Promise.all(Array.from({ length: 40 }, async () => {
    for (let i = 0; i < 5; i++) {
      const { status } = await server.ask("/predict", post(PHOTO));
      counts[status] = (counts[status] ?? 0) + 1;
    }
  }));
  assertEquals(Object.keys(counts).filter((code) => !["200", "429", "504"].includes(code)), []);
  assert((counts[200] ?? 0) > 0 && (counts[429] ?? 0) > 0, JSON.stringify(counts));
  await until(() => server.models.resolve().batcher.load === 0);
  assertEquals((await server.ask("/predict", post(PHOTO))).status, 200);
});

test("photos of 12 megapixels share a pass in bounded memory", async () => {
  await using server = await serveFake();
  const { Image } = await import("imagescript");
  const large = new Uint8Array(await new Image(4000, 3000).fill(0xc80a0aff).encodeJPEG(50));
  const { status, text } = await server.ask("/predict", post(large));
  assertEquals([status, JSON.parse(text).class], [200, "red"]);
});
