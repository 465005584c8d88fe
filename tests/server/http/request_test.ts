import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { BodyReader } from "../../../server/http/request.ts";
import { RequestError } from "../../../server/inference/errors.ts";
import { encodePhoto, formOf, setUp } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const RED = await encodePhoto([200, 10, 10]);

test("a body over the limit is 413, announced or not, compressed or not", async () => {
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

test("an image of more than 100 megapixels is 413 before it is decoded", async () => {
  await using server = await setUp();
  const bomb = RED.slice();
  new DataView(bomb.buffer).setUint32(16, 20_000);
  new DataView(bomb.buffer).setUint32(20, 20_000);
  const response = await server.app.request("/predict", { method: "POST", body: bomb });
  assertEquals(response.status, 413);
  assertStringIncludes((await response.json()).error, "20000x20000");
});

test("more photos than the queue has places, or than one request may have, are 413", async () => {
  await using server = await setUp({ maxQueue: 4 });
  const photos = (count: number) =>
    formOf(...Array.from({ length: count }, (_, i) => [`${i}.png`, RED] as const));
  for (const count of [5, 300]) {
    const response = await server.app.request("/predict", { method: "POST", body: photos(count) });
    assertEquals(response.status, 413);
  }
});

test("beyond the queue's places requests are 429 with Retry-After, and the others are answered", async () => {
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

test("a request that takes too long is 504, and its place is free again when the pass has ended", async () => {
  await using server = await setUp({ limits: { timeoutMs: 20 }, checkpoints: { animals: { delayMs: 200 } } });
  const response = await server.app.request("/predict", { method: "POST", body: RED });
  assertEquals(response.status, 504);
  const { batcher } = server.models.resolve();
  await batcher.drained();
  assertEquals(batcher.load, 0);
});

test("a request whose client leaves is not computed", async () => {
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

test("a body that comes too slowly is 408", async () => {
  await using server = await setUp({ limits: { bodyTimeoutMs: 30 } });
  const body = new ReadableStream({ start: (controller) => controller.enqueue(RED.slice(0, 20)) });
  const response = await server.app.request("/predict", { method: "POST", body });
  assertEquals(response.status, 408);
});

test("bodies together may only take so much memory", async () => {
  await using server = await setUp({ limits: { maxBodiesBytes: 100_000, bodyTimeoutMs: 1000 } });
  const taken = Promise.withResolvers<void>();
  let pulls = 0;
  const stuck = new ReadableStream({
    pull(controller) {
      if (pulls++ === 0) controller.enqueue(new Uint8Array(90_000));
      else taken.resolve(); // asked again, so the first piece was taken
    },
  }, { highWaterMark: 0 });
  const slow = server.app.request("/predict", { method: "POST", body: stuck });
  await taken.promise;
  const refused = await server.app.request("/predict", { method: "POST", body: new Uint8Array(20_000) });
  assertEquals(refused.status, 429);
  assertEquals((await slow).status, 408);
  const answered = await server.app.request("/predict", { method: "POST", body: RED });
  assertEquals(answered.status, 200);
});

function readerOf(maxBodiesBytes = 10_000_000): BodyReader {
  return new BodyReader({
    maxBodyBytes: 5_000_000,
    maxBodiesBytes,
    bodyTimeoutMs: 60_000,
    minBodyRate: 1000,
  });
}

/** A request that announces `announced` bytes and sends these, in pieces. */
function requestOf(bytes: Uint8Array<ArrayBuffer>, announced: number | undefined, piece = 50_000): Request {
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += piece) controller.enqueue(bytes.slice(at, at + piece));
      controller.close();
    },
  });
  const headers: Record<string, string> = announced === undefined ? {} : { "content-length": `${announced}` };
  return new Request("http://127.0.0.1/", { method: "POST", body, headers });
}

for (const length of [1, 50_000, 64_001, 600_000, 3_000_000]) {
  Deno.test(`a body of ${length} bytes comes whole, whether or not its length is announced`, async () => {
    const bytes = new Uint8Array(length).map((_, i) => i % 251);
    for (const announced of [length, undefined]) {
      using received = await readerOf().read(requestOf(bytes, announced));
      const body = received.bytes;
      assertEquals(body.length, length);
      assert(body.every((byte, i) => byte === i % 251));
      assertEquals(body.buffer.byteLength, length);
    }
  });
}

Deno.test("a body of another length than it announced is refused", async () => {
  const bytes = new Uint8Array(200_000);
  for (const announced of [199_999, 200_001]) {
    const error = await assertRejects(
      () => readerOf().read(requestOf(bytes, announced)),
      RequestError,
      "Cannot read the body",
    );
    assertEquals(error.status, 400);
  }
});

Deno.test("a body that the memory for bodies has no room for is refused, and its share is given back", async () => {
  const reader = readerOf(300_000);
  const ask = () => reader.read(requestOf(new Uint8Array(200_000), 200_000));
  {
    using _first = await ask();
    assertEquals((await assertRejects(ask, RequestError)).status, 429);
  }
  using third = await ask();
  assertEquals(third.bytes.length, 200_000);
});

Deno.test("a body that is refused gives its share of the memory back", async () => {
  const reader = readerOf(300_000);
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => reader.read(requestOf(new Uint8Array(199_999), 200_000)), RequestError);
  }
  using received = await reader.read(requestOf(new Uint8Array(300_000), 300_000));
  assertEquals(received.bytes.length, 300_000);
});

/** A compressed body in pieces of 500 bytes, with the number of pieces that were asked for. */
async function packed(bytes: Uint8Array<ArrayBuffer>) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  const all = await new Response(stream).bytes();
  const asked = { pieces: 0, size: all.length };
  const body = new ReadableStream({
    pull(controller) {
      const at = 500 * asked.pieces++;
      if (at >= all.length) controller.close();
      else controller.enqueue(all.slice(at, at + 500));
    },
  }, { highWaterMark: 0 });
  const headers = { "content-encoding": "gzip" };
  return { asked, request: new Request("http://127.0.0.1/", { method: "POST", body, headers }) };
}

Deno.test("a body that unfolds to a thousand times its size is given up after its first kilobytes", async () => {
  const { asked, request } = await packed(new Uint8Array(100_000_000));
  const error = await assertRejects(() => readerOf().read(request), RequestError, "100 times");
  assertEquals(error.status, 413);
  assert(asked.pieces * 500 < 20_000 && asked.size > 90_000, `${asked.pieces} pieces of ${asked.size} bytes`);
});

Deno.test("while a compressed body is unfolded the others get their turns", async () => {
  const text = Array.from({ length: 400_000 }, (_, i) => `${(i * 7919) % 100_003}`).join(",");
  const { request } = await packed(new TextEncoder().encode(text));
  let turns = 0;
  const others = setInterval(() => turns++, 1);
  using received = await readerOf().read(request);
  clearInterval(others);
  assertEquals(new TextDecoder().decode(received.bytes), text);
  assert(turns >= text.length / 256_000 - 1, `${turns} turns for ${text.length} bytes`);
});
