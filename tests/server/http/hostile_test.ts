import { assert, assertEquals } from "@std/assert";
import { DecoderPool } from "../../../data/image/decoder_pool.ts";
import { ImageError } from "../../../data/image/image.ts";
import { FAKE_SIZE } from "../fake_loader.ts";
import { encodePhoto, serveFake, until } from "../fixture.ts";
import { hostileRequest, KINDS, sendHostile } from "../../../bench/server/hostile_requests.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

test("hostile requests of every kind never crash the server, nor make it answer 500, nor keep their memory", async () => {
  const seeds = {
    jpeg: await encodePhoto([200, 10, 10], { width: 200, height: 150, format: "jpeg" }),
    png: await encodePhoto([10, 200, 10], { width: 200, height: 150 }),
  };
  const decoder = new DecoderPool({ workers: 1, timeoutMs: 5000 });
  await using server = await serveFake({ decoder, limits: { bodyTimeoutMs: 300 } });
  const address = { hostname: "127.0.0.1", port: Number(server.url.port), patienceMs: 5000 };
  const before = Deno.memoryUsage().rss;
  const statuses = new Map<string, Set<number | undefined>>(KINDS.map((kind) => [kind, new Set()]));
  let next = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (next < KINDS.length * 15) {
      const request = hostileRequest(next++, 1, seeds, "animals", FAKE_SIZE);
      statuses.get(request.kind)!.add(await sendHostile(request, address));
    }
  }));
  const seen = (kind: typeof KINDS[number]) => [...statuses.get(kind)!].sort();
  const failures = [...statuses].filter(([, codes]) =>
    [...codes].some((code) => code !== undefined && code >= 500)
  );
  assertEquals(failures.map(([kind, codes]) => `${kind}: ${[...codes]}`), []);
  for (const bomb of ["bomb in PNG", "bomb in JPEG", "bomb in GIF"] as const) assertEquals(seen(bomb), [413]);
  for (const bad of ["wrong JSON", "NaN tensor", "huge shape", "lying header length"] as const) {
    assertEquals(seen(bad), [400]);
  }
  assertEquals(seen("wrong type"), [415]);
  assertEquals(seen("wrong method"), [400]); // HTTP has no such method
  assertEquals(seen("slow body"), [408]);
  assertEquals(seen("odd path"), [400]); // its host is no name
  await until(() => server.models.resolve().batcher.load === 0);
  const { status, text } = await server.ask("/predict", { method: "POST", body: seeds.png });
  assertEquals([status, JSON.parse(text).class], [200, "green"]);
  const grown = Deno.memoryUsage().rss - before;
  assert(grown < 500e6, `${Math.round(grown / 1e6)} MB`);
});

test("a body that is refused by its length is answered although it was never sent", async () => {
  await using server = await serveFake();
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(server.url.port) });
  await connection.write(
    new TextEncoder().encode("POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000000\r\n\r\n"),
  );
  const buffer = new Uint8Array(200);
  const length = await connection.read(buffer) ?? 0;
  const text = new TextDecoder().decode(buffer.subarray(0, length));
  connection.close();
  assert(text.startsWith("HTTP/1.1 413"), text);
});

for (const code of ["failed", "unavailable"] as const) {
  test(`a photo whose decoder has ${code} is not its client's fault: 503, and when to come again`, async () => {
    const decode = () =>
      Promise.reject(new ImageError(code, "Cannot decode the image: /secret/decoder is gone"));
    await using server = await serveFake({ decoder: { decode, close: () => {} } });
    const response = await fetch(new URL("/predict", server.url), {
      method: "POST",
      body: await encodePhoto([255, 0, 0]),
    });
    assertEquals([response.status, response.headers.get("retry-after")], [503, "1"]);
    const { error } = await response.json();
    assertEquals(error, "Cannot decode the image: its decoder ended or could not be started");
  });
}
