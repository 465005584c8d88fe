import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import type { DecodedImage } from "../../../data/image/image.ts";
import type { Classification } from "../../../model/inference/classifier_types.ts";
import { Batcher, type BatcherOptions, type RowClassifier } from "../../../server/inference/batcher.ts";
import { ClientGoneError, OverloadError, RequestError } from "../../../server/inference/errors.ts";
import { fakeCard } from "../fake_loader.ts";

/** A classifier whose passes end only when the test says so. */
class ManualClassifier implements RowClassifier {
  readonly card = fakeCard(["a", "b"]);
  readonly adapter = "manual";
  readonly maxBatch = 100;
  readonly passes: { kind: string; size: number; finish: () => void; fail: (error: Error) => void }[] = [];

  classify(images: readonly DecodedImage[], options?: { explain?: boolean }): Promise<Classification[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Classification[]>();
    const answers = images.map((image) => ({
      logits: Float32Array.of(image.width, 0),
      probabilities: Float32Array.of(1, 0),
    }));
    this.passes.push({
      kind: options?.explain ? "explain" : "classify",
      size: images.length,
      finish: () => resolve(answers),
      fail: reject,
    });
    return promise;
  }

  infer(input: Float32Array, batch: number): Promise<Float32Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
    const row = input.length / batch;
    const logits = Float32Array.from(
      { length: batch * 2 },
      (_, i) => input[Math.floor(i / 2) * row]! + i % 2,
    );
    this.passes.push({ kind: "infer", size: batch, finish: () => resolve(logits), fail: reject });
    return promise;
  }

  classifyRows = async (rows: readonly Uint8Array[]) => {
    const bytes = Uint8Array.from(rows.flatMap((row) => [...row]));
    const logits = await this.infer(new Float32Array(bytes.buffer), rows.length);
    return rows.map((_, n) => ({
      logits: logits.slice(2 * n, 2 * n + 2),
      probabilities: Float32Array.of(1, 0),
    }));
  };
  memory = () => Promise.resolve(0);
  close = () => Promise.resolve();
}

const never = new AbortController().signal;
const photo = (width: number): DecodedImage => ({ width, height: 1, data: new Uint8Array(width * 4) });
const tick = () => new Promise((resolve) => setTimeout(resolve));

function setUp(options: Partial<BatcherOptions> = {}) {
  const classifier = new ManualClassifier();
  const batcher = new Batcher(classifier, {
    maxBatch: 4,
    maxDelayMs: 1e9,
    maxQueue: 10,
    maxWaitMs: 1e9,
    ...options,
  });
  const send = (width = 1, signal = never) => {
    const places = batcher.reserve(1);
    const answer = places.classify(photo(width), { explain: false, signal });
    answer.catch(() => {}).finally(() => places[Symbol.dispose]());
    return answer;
  };
  return { classifier, batcher, send };
}

Deno.test("an idle device starts at once when nobody else is on the way", async () => {
  const { classifier, send } = setUp();
  const answer = send(7);
  assertEquals(classifier.passes.map((pass) => pass.size), [1]);
  classifier.passes[0]!.finish();
  assertEquals((await answer).value.logits[0], 7);
});

Deno.test("inputs that come while the device is busy share the next pass, in order, up to the largest batch", async () => {
  const { classifier, send } = setUp();
  const answers = [1, 2, 3, 4, 5, 6, 7].map((width) => send(width));
  for (const size of [1, 4, 2]) {
    const pass = classifier.passes.at(-1)!;
    assertEquals(pass.size, size);
    pass.finish();
    await tick();
  }
  assertEquals((await Promise.all(answers)).map((answer) => answer.value.logits[0]), [1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("an idle device waits for inputs that are announced, and no longer than until they come or give up", async () => {
  const { classifier, batcher, send } = setUp();
  const first = batcher.reserve(1), second = batcher.reserve(1);
  send();
  await tick();
  assertEquals(classifier.passes.length, 0);
  void first.classify(photo(1), { explain: false, signal: never });
  await tick();
  assertEquals(classifier.passes.length, 0);
  second[Symbol.dispose]();
  assertEquals(classifier.passes.map((pass) => pass.size), [2]);
});

Deno.test("an idle device does not wait for announced inputs beyond the delay", async () => {
  const { classifier, batcher, send } = setUp({ maxDelayMs: 1 });
  using _announced = batcher.reserve(1);
  const answer = send();
  while (classifier.passes.length === 0) await tick();
  classifier.passes[0]!.finish();
  assertEquals((await answer).value.logits[0], 1);
});

Deno.test("a full batch does not wait for announced inputs", () => {
  const { classifier, batcher, send } = setUp({ maxBatch: 2 });
  using _announced = batcher.reserve(1);
  send();
  send();
  assertEquals(classifier.passes.map((pass) => pass.size), [2]);
});

Deno.test("photos, explained photos and tensors never share a pass, and none starves", async () => {
  const { classifier, batcher, send } = setUp();
  send();
  const explained = batcher.reserve(1).classify(photo(2), { explain: true, signal: never });
  const tensors = [3, 5].map((first) =>
    batcher.reserve(1).infer(new Uint8Array(Float32Array.of(first, 0, 0).buffer), { signal: never })
  );
  const plain = send(9);
  for (let i = 0; i < 4; i++) {
    classifier.passes[i]!.finish();
    await tick();
  }
  assertEquals(classifier.passes.map(({ kind, size }) => `${size} ${kind}`), [
    "1 classify",
    "1 explain",
    "2 infer",
    "1 classify",
  ]);
  assertEquals((await explained).value.logits[0], 2);
  assertEquals((await Promise.all(tensors)).map((answer) => [...answer.value.logits]), [[3, 4], [5, 6]]);
  assertEquals((await plain).value.logits[0], 9);
});

Deno.test("beyond its places the queue refuses, with a time to come back", async () => {
  const { classifier, batcher, send } = setUp({ maxQueue: 3 });
  const answers = [send(), send(), send()];
  const error = assertThrows(() => batcher.reserve(1), OverloadError);
  assertEquals(error.status, 429);
  assert(Number(error.headers["Retry-After"]) >= 1);
  classifier.passes[0]!.finish();
  await answers[0];
  await tick();
  batcher.reserve(1)[Symbol.dispose]();
});

Deno.test("when those before it take too long an input is refused, but two passes are filled", async () => {
  const { classifier, batcher, send } = setUp({ maxBatch: 2, maxQueue: 100, maxWaitMs: 1e-6 });
  for (let i = 0; i < 6; i++) send(); // how long an input takes is not known yet
  assertEquals(batcher.load, 6);
  for (let pass = 0; pass < 2; pass++) {
    await delay(2);
    classifier.passes[pass]!.finish();
    await tick();
  }
  assertEquals(batcher.load, 3);
  send();
  const error = assertThrows(() => batcher.reserve(1), OverloadError, "the 4 before them take");
  assertEquals(error.status, 429);
  assert(Number(error.headers["Retry-After"]) >= 1);
});

Deno.test("one input waits for one of a large request, since they take turns, and another large request for all", async () => {
  const { classifier, batcher, send } = setUp({ maxBatch: 2, maxQueue: 1000, maxWaitMs: 50 });
  send();
  await delay(10);
  classifier.passes[0]!.finish(); // an input takes 10 ms or more
  await tick();
  using _large = batcher.reserve(200);
  using _one = batcher.reserve(1);
  assertThrows(() => batcher.reserve(200), OverloadError, "the 201 before them take");
});

Deno.test("an input that need not wait long may come behind many", async () => {
  const { classifier, batcher, send } = setUp({ maxBatch: 1, maxQueue: 100, maxWaitMs: 60_000 });
  for (let i = 0; i < 50; i++) send();
  classifier.passes[0]!.finish();
  await tick();
  for (let i = 0; i < 50; i++) send();
  assertEquals(batcher.load, 99);
});

Deno.test("more inputs than the queue has places can never be taken", () => {
  const { batcher } = setUp({ maxQueue: 3 });
  assertEquals(assertThrows(() => batcher.reserve(4), RequestError).status, 413);
});

Deno.test("an input whose client is gone is dropped before it is computed, and its place is free again", async () => {
  const { classifier, batcher, send } = setUp({ maxQueue: 2 });
  send();
  const client = new AbortController();
  const gone = send(2, client.signal);
  client.abort(new ClientGoneError());
  await assertRejects(() => gone, ClientGoneError);
  const next = send(3);
  classifier.passes[0]!.finish();
  await tick();
  assertEquals(classifier.passes.map((pass) => pass.size), [1, 1]);
  classifier.passes[1]!.finish();
  assertEquals((await next).value.logits[0], 3);
  assertEquals(batcher.load, 0);
});

Deno.test("an input whose client leaves during its pass is answered with the reason, the others with their results", async () => {
  const { classifier, send } = setUp();
  send();
  const client = new AbortController();
  const [gone, kept] = [send(2, client.signal), send(3)];
  classifier.passes[0]!.finish();
  await tick();
  client.abort(new ClientGoneError());
  classifier.passes[1]!.finish();
  await assertRejects(() => gone, ClientGoneError);
  assertEquals((await kept).value.logits[0], 3);
});

Deno.test("a pass that fails fails its own inputs and the next pass goes on", async () => {
  const { classifier, send } = setUp();
  const [first, second] = [send(1), send(2)];
  classifier.passes[0]!.fail(new Error("broken"));
  await assertRejects(() => first, Error, "broken");
  await tick();
  classifier.passes[1]!.finish();
  assertEquals((await second).value.logits[0], 2);
});

Deno.test("a batcher is drained when everything announced, queued and computed is done", async () => {
  const { classifier, batcher, send } = setUp();
  await batcher.drained();
  const reservation = batcher.reserve(1);
  send();
  let drained = false;
  const waiting = batcher.drained().then(() => drained = true);
  reservation[Symbol.dispose]();
  await tick();
  assertEquals(drained, false);
  classifier.passes[0]!.finish();
  await waiting;
  assertEquals(batcher.load, 0);
});

Deno.test("a pass reports its size", async () => {
  const sizes: number[] = [];
  const { classifier, send } = setUp({ onBatch: (size) => sizes.push(size) });
  const answers = [send(), send(), send()];
  classifier.passes[0]!.finish();
  await tick();
  classifier.passes[1]!.finish();
  await Promise.all(answers);
  assertEquals(sizes, [1, 2]);
});
