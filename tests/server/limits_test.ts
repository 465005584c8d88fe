import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePhoto, formOf, setUp } from "./fixture.ts";

const RED = await encodePhoto([200, 10, 10]);

Deno.test("a body over the limit is 413, announced or not, compressed or not", async () => {
  await using server = await setUp({ limits: { maxBodyBytes: 50_000 } });
  const large = new Uint8Array(60_000);
  const announced = await server.app.request("/predict", {
    method: "POST",
    body: large,
    headers: { "content-length": "60000" },
  });
  assertEquals(announced.status, 413);
  const streamed = await server.app.request("/predict", { method: "POST", body: new Blob([large]).stream() });
  assertEquals(streamed.status, 413);
  const zipped = new Blob([large]).stream().pipeThrough(new CompressionStream("gzip"));
  const bomb = await server.app.request("/predict", {
    method: "POST",
    body: zipped,
    headers: { "content-encoding": "gzip" },
  });
  assertEquals(bomb.status, 413);
});

Deno.test("an image of more than 100 megapixels is 413 before it is decoded", async () => {
  await using server = await setUp();
  const bomb = RED.slice();
  new DataView(bomb.buffer).setUint32(16, 20_000);
  new DataView(bomb.buffer).setUint32(20, 20_000);
  const response = await server.app.request("/predict", { method: "POST", body: bomb });
  assertEquals(response.status, 413);
  assertStringIncludes((await response.json()).error, "20000x20000");
});

Deno.test("more photos than the queue has places, or than one request may have, are 413", async () => {
  await using server = await setUp({ maxQueue: 4 });
  const photos = (count: number) =>
    formOf(...Array.from({ length: count }, (_, i) => [`${i}.png`, RED] as const));
  for (const count of [5, 300]) {
    const response = await server.app.request("/predict", { method: "POST", body: photos(count) });
    assertEquals(response.status, 413);
  }
});

Deno.test("beyond the queue's places requests are 429 with Retry-After, and the others are answered", async () => {
  await using server = await setUp({ maxQueue: 4, checkpoints: { animals: { delayMs: 30 } } });
  const responses = await Promise.all(
    Array.from({ length: 20 }, () => server.app.request("/predict", { method: "POST", body: RED })),
  );
  const refused = responses.filter((response) => response.status === 429);
  const answered = responses.filter((response) => response.status === 200);
  assertEquals(refused.length + answered.length, 20);
  assert(refused.length > 0 && answered.length >= 4);
  assertMatch(refused[0]!.headers.get("retry-after")!, /^[1-9]\d*$/);
  assertEquals(server.models.resolve().batcher.load, 0);
});

Deno.test("a request that takes too long is 504, and its place is free again when the pass has ended", async () => {
  await using server = await setUp({ limits: { timeoutMs: 20 }, checkpoints: { animals: { delayMs: 200 } } });
  const response = await server.app.request("/predict", { method: "POST", body: RED });
  assertEquals(response.status, 504);
  const { batcher } = server.models.resolve();
  await batcher.drained();
  assertEquals(batcher.load, 0);
});

Deno.test("a request whose client leaves is not computed", async () => {
  await using server = await setUp({ checkpoints: { animals: { delayMs: 50 } } });
  const ask = (signal?: AbortSignal) =>
    server.app.request("/predict", { method: "POST", body: RED, ...(signal ? { signal } : {}) });
  const first = ask();
  const client = new AbortController();
  const { batcher } = server.models.resolve();
  while (batcher.load < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  const second = ask(client.signal);
  while (batcher.load < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  client.abort();
  assertEquals((await second).status, 499);
  assertEquals((await first).status, 200);
  const probes = 2;
  assertEquals(server.classifiers[0]!.batches.length, probes + 1);
});

Deno.test("a body that comes too slowly is 408", async () => {
  await using server = await setUp({ limits: { bodyTimeoutMs: 30 } });
  const body = new ReadableStream({ start: (controller) => controller.enqueue(RED.slice(0, 20)) });
  const response = await server.app.request("/predict", { method: "POST", body });
  assertEquals(response.status, 408);
});

Deno.test("bodies together may only take so much memory", async () => {
  await using server = await setUp({ limits: { maxBodiesBytes: 100_000, bodyTimeoutMs: 50 } });
  const stuck = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(90_000)) });
  const slow = server.app.request("/predict", { method: "POST", body: stuck });
  await new Promise((resolve) => setTimeout(resolve, 10));
  const refused = await server.app.request("/predict", { method: "POST", body: new Uint8Array(20_000) });
  assertEquals(refused.status, 429);
  assertEquals((await slow).status, 408);
  const answered = await server.app.request("/predict", { method: "POST", body: RED });
  assertEquals(answered.status, 200);
});
