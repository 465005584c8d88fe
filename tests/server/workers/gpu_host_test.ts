import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { DecodedImage } from "../../../data/image/image.ts";
import { DeviceLostError } from "../../../model/inference/classifier_types.ts";
import { GpuHost } from "../../../server/workers/gpu_host.ts";
import { startFakeGpuWorker } from "../fixture.ts";
import { FAKE_SIZE, type FakeCheckpoint, TRICKS } from "../fake_loader.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

async function setUp(checkpoint: FakeCheckpoint = {}, callTimeoutMs = 20_000) {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(path, JSON.stringify(checkpoint));
  const host = new GpuHost({ startWorker: startFakeGpuWorker, callTimeoutMs });
  const clean = async () => {
    host.close();
    await Deno.remove(path);
  };
  return { host, path, [Symbol.asyncDispose]: clean };
}

function photo(red: number): DecodedImage {
  const data = new Uint8Array(4 * 4).fill(0);
  for (let i = 0; i < 16; i += 4) data.set([red, 0, 0, 255], i);
  return { width: 2, height: 2, data };
}

test("a classifier in the worker answers as it would here, and takes the buffers", async () => {
  await using server = await setUp({ bias: 1 });
  const classifier = await server.host.load(server.path, { maxBatch: 4 });
  assertEquals([classifier.card.classes.length, classifier.maxBatch, classifier.adapter], [
    3,
    4,
    "fake adapter",
  ]);
  const image = photo(64);
  const [answer] = await classifier.classify([image], { explain: true });
  assertEquals([...answer!.logits], [3, 0, 0]);
  assertEquals(answer!.heatmap?.data.length, 4);
  assertEquals(image.data.byteLength, 0);
  const logits = await classifier.infer(new Float32Array(2 * 3 * FAKE_SIZE ** 2), 2);
  assertEquals([...logits], [1, 0, 0, 1, 0, 0]);
  assertEquals(await classifier.memory(), 1000);
});

test("several models live side by side and close one by one", async () => {
  await using server = await setUp();
  const [first, second] = [
    await server.host.load(server.path, { maxBatch: 1 }),
    await server.host.load(server.path, { maxBatch: 1 }),
  ];
  await first.close();
  await assertRejects(() => first.classify([photo(1)]), Error, "closed");
  assertEquals((await second.classify([photo(32)]))[0]!.logits[0], 1);
});

test("a checkpoint that cannot be opened rejects with the loader's words and costs nothing else", async () => {
  await using server = await setUp();
  await assertRejects(() => server.host.load("/nowhere.json", { maxBatch: 1 }), Error, "/nowhere.json");
  await server.host.load(server.path, { maxBatch: 1 });
});

test("a worker that cannot start rejects every load and is announced as a loss", async () => {
  const url = new URL("./no_such_worker.ts", import.meta.url);
  const startWorker = () => new Worker(url, { type: "module" });
  const host = new GpuHost({ startWorker, callTimeoutMs: 20_000 });
  await assertRejects(() => host.load("x", { maxBatch: 1 }), DeviceLostError, "the GPU worker failed");
  assertStringIncludes((await host.lost).message, "the GPU worker failed");
});

for (const trick of ["loseDevice", "endWorker", "crash"] as const) {
  test(`when the device ends by ${trick}, the calls that run reject and the loss is announced`, async () => {
    await using server = await setUp();
    const classifier = await server.host.load(server.path, { maxBatch: 1 });
    const calls = [classifier.classify([photo(TRICKS[trick])]), classifier.classify([photo(1)])];
    for (const call of await Promise.allSettled(calls)) {
      assertEquals(call.status === "rejected" && call.reason.name, "DeviceLostError");
    }
    assertStringIncludes((await server.host.lost).message, "device");
    await assertRejects(() => classifier.classify([photo(1)]), DeviceLostError);
  });
}

test("while a model loads, the others answer, and a load in steps may take longer than a call", async () => {
  await using server = await setUp({ bias: 1 }, 1500);
  const old = await server.host.load(server.path, { maxBatch: 1 });
  const go = await Deno.makeTempFile();
  await Deno.remove(go);
  await Deno.writeTextFile(server.path, JSON.stringify({ bias: 2, stepsUntil: go }));
  let loaded = false;
  const loading = server.host.load(server.path, { maxBatch: 1 }).finally(() => loaded = true);
  const ends = performance.now() + 2500;
  let answers = 0;
  for (; performance.now() < ends; answers++) {
    const [answer] = await old.classify([photo(0)]);
    assertEquals([...answer!.logits], [1, 0, 0]);
    await old.infer(new Float32Array(3 * FAKE_SIZE ** 2), 1);
    assert(server.host.waiting < 1500);
  }
  assertEquals(loaded, false);
  assert(answers > 10);
  await Deno.writeTextFile(go, "");
  const [answer] = await (await loading).classify([photo(0)]);
  assertEquals([...answer!.logits], [2, 0, 0]);
  await Deno.remove(go);
});

test("a step of loading that hangs is given up, and with it the device", async () => {
  await using server = await setUp({ hangs: true }, 1500);
  const loading = server.host.load(server.path, { maxBatch: 1 });
  await assertRejects(() => loading, DeviceLostError, "did not answer load within 1500 ms");
  await server.host.lost;
});

test("a device that hangs is given up after the call's time", async () => {
  await using server = await setUp({}, 2000);
  const classifier = await server.host.load(server.path, { maxBatch: 1 });
  const call = classifier.classify([photo(TRICKS.hang)]);
  await assertRejects(() => call, DeviceLostError, "did not answer classify");
  await server.host.lost;
});

test("a host that is closed on purpose announces no loss", async () => {
  const server = await setUp();
  const classifier = await server.host.load(server.path, { maxBatch: 1 });
  const call = assertRejects(() => classifier.classify([photo(TRICKS.hang)]), Error, "shutting down");
  await server[Symbol.asyncDispose]();
  await call;
  const first = await Promise.race([
    server.host.lost,
    new Promise((resolve) => setTimeout(resolve, 50, "quiet")),
  ]);
  assertEquals(first, "quiet");
});
