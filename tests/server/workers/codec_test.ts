import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../server/inference/errors.ts";
import { Codec } from "../../../server/workers/codec.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const model = { height: 2, width: 2, places: 4, largest: 1000 };

/** A request for one input, so long that the thread beside reads it. */
function longRequest(): Uint8Array<ArrayBuffer> {
  const inputs = [{ name: "input", shape: [1, 3, 2, 2], datatype: "FP32", data: Array(12).fill(1) }];
  return new TextEncoder().encode(JSON.stringify({ inputs }) + " ".repeat(100_000));
}

test("a request that is out of time while it waits for the thread is not read", async () => {
  using codec = new Codec();
  const patient = new AbortController(), late = new AbortController();
  const read = (body: Uint8Array<ArrayBuffer>, { signal }: AbortController) =>
    codec.readInfer(body, undefined, { model, signal });
  const bodies = [longRequest(), longRequest(), longRequest()] as const;
  const first = read(bodies[0], patient);
  const second = read(bodies[1], late);
  const third = read(bodies[2], patient);
  late.abort(new RequestError(504, "too late"));
  await assertRejects(() => second, RequestError, "too late");
  assertEquals((await first).input.shape, [1, 3, 2, 2]);
  assertEquals((await third).input.shape, [1, 3, 2, 2]);
  // What the thread reads moves to it and leaves nothing here.
  assertEquals(bodies.map((body) => body.length > 0), [false, true, false]);
  await assertRejects(() => read(longRequest(), late), RequestError, "too late");
});

test("a request whose reading fails leaves the thread to the next, and closing ends those that wait", async () => {
  const codec = new Codec();
  const { signal } = new AbortController();
  const spaces = new TextEncoder().encode(" ".repeat(100_000));
  await assertRejects(() => codec.readInfer(spaces, undefined, { model, signal }), RequestError, "not JSON");
  // Its buffer has gone to the thread, so it cannot be posted again.
  await assertRejects(() => codec.readInfer(spaces, 100_000, { model, signal }));
  const taken = await codec.readInfer(longRequest(), undefined, { model, signal });
  assertEquals(taken.input.datatype, "FP32");
  const waiting = [longRequest(), longRequest()].map((body) =>
    assertRejects(() => codec.readInfer(body, undefined, { model, signal }), Error, "the server is closed")
  );
  codec[Symbol.dispose]();
  await Promise.all(waiting);
});
