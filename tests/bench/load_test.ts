import { assert, assertEquals, assertRejects } from "@std/assert";
import { percentiles, runLoad } from "../../bench/server/load_generator.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

function serve(handler: (i: number) => Response | Promise<Response>) {
  let asked = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => handler(asked++));
  const url = new URL(`http://127.0.0.1:${server.addr.port}/`);
  return { url, [Symbol.asyncDispose]: () => server.shutdown() };
}

test("load counts every answer by its status and measures those that succeeded", async () => {
  await using server = serve((i) => new Response(null, { status: i % 4 === 0 ? 429 : 200 }));
  const request = () => ({ path: "/" });
  const result = await runLoad({ url: server.url, request, concurrency: 4, seconds: 60, maxRequests: 40 });
  assertEquals(result.requests >= 40 && result.requests < 44, true);
  assertEquals((result.codes["200"] ?? 0) + (result.codes["429"] ?? 0), result.requests);
  assert(result.codes["429"]! >= 10);
  assertEquals(Math.round(result.throughput * result.seconds), result.codes["200"]);
});

test("load at a rate does not wait for answers, and counts what it could not send", async () => {
  let waiting = 0, most = 0;
  await using server = serve(async () => {
    most = Math.max(most, ++waiting);
    await new Promise((resolve) => setTimeout(resolve, 100));
    waiting--;
    return new Response();
  });
  const request = () => ({ path: "/" });
  const result = await runLoad({ url: server.url, request, concurrency: 3, seconds: 0.5, rate: 200 });
  assertEquals(most, 3);
  assert(result.notSent > 0);
  assertEquals(result.codes["200"], result.requests);
});

Deno.test("load counts connections that fail", async () => {
  const request = () => ({ path: "/" });
  const url = new URL("http://127.0.0.1:9/");
  const result = await runLoad({ url, request, concurrency: 1, seconds: 60, maxRequests: 3 });
  assertEquals([result.codes, result.latency], [{ failed: 3 }, null]);
});

Deno.test("load is sent to this machine alone", async () => {
  for (const host of ["10.0.0.1", "example.org", "127.0.0.1.example.org", "[::2]"]) {
    const url = new URL(`http://${host}/`);
    const options = { url, request: () => ({ path: "/" }), concurrency: 1, seconds: 1 };
    await assertRejects(() => runLoad(options), RangeError, "on this machine");
  }
});

Deno.test("percentiles are values that were measured", () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i);
  assertEquals(percentiles(values), { p50: 100, p90: 180, p99: 198, max: 200 });
  assertEquals(percentiles([7]), { p50: 7, p90: 7, p99: 7, max: 7 });
});
