import { assert, assertEquals, assertRejects } from "@std/assert";
import { HttpError } from "../../server/http/errors.ts";
import { BodyBudget, readBody } from "../../server/http/request_body.ts";

const LIMITS = { maxBytes: 5_000_000, timeoutMs: 60_000 };

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

function read(request: Request, budget = new BodyBudget(10_000_000)) {
  return readBody(request, LIMITS, budget.open());
}

for (const length of [1, 50_000, 64_001, 600_000, 3_000_000]) {
  Deno.test(`a body of ${length} bytes comes whole, whether or not its length is announced`, async () => {
    const bytes = new Uint8Array(length).map((_, i) => i % 251);
    for (const announced of [length, undefined]) {
      const body = await read(requestOf(bytes, announced));
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
      () => read(requestOf(bytes, announced)),
      HttpError,
      "Cannot read the body",
    );
    assertEquals(error.status, 400);
  }
});

Deno.test("a body that the memory for bodies has no room for is refused, and its share is given back", async () => {
  const budget = new BodyBudget(300_000);
  const first = budget.open();
  await readBody(requestOf(new Uint8Array(200_000), 200_000), LIMITS, first);
  const error = await assertRejects(
    () => read(requestOf(new Uint8Array(200_000), 200_000), budget),
    HttpError,
  );
  assertEquals(error.status, 429);
  first[Symbol.dispose]();
  assertEquals((await read(requestOf(new Uint8Array(200_000), 200_000), budget)).length, 200_000);
});
