import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { clientOf, paceMs, parseNetworks } from "../../../server/http/guard.ts";
import { encodePhoto, type FixtureOptions, serveFake, setUp, until } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const PHOTO = await encodePhoto([200, 10, 10]);
const UNLOAD = "/v2/repository/models/animals/unload";

/** The status of a POST with these headers, and whether the model is still there. */
async function post(path: string, headers: Record<string, string>, options: FixtureOptions = {}) {
  await using server = await setUp(options);
  const body = path === "/predict" ? PHOTO : "{}";
  const response = await server.app.request(path, { method: "POST", body, headers });
  const { error } = response.status === 200 ? { error: "" } : await response.json();
  return { status: response.status, error: error as string, ready: server.models.ready };
}

test("models are not changed over HTTP unless a token or a flag allows it", async () => {
  const { status, error, ready } = await post(UNLOAD, {});
  assertEquals([status, ready], [403, true]);
  assertStringIncludes(error, "--token-file");
  assertEquals((await post(UNLOAD, {}, { openRepository: true })).ready, false);
  const token = { token: "secret" };
  assertEquals((await post(UNLOAD, {}, token)).status, 401);
  assertEquals((await post(UNLOAD, { authorization: "Bearer wrong" }, token)).ready, true);
  assertEquals((await post(UNLOAD, { authorization: "Bearer secret" }, token)).ready, false);
});

test("a token may be asked of changes alone", async () => {
  const options = { token: "secret", tokenScope: "changes" } as const;
  assertEquals((await post("/predict", {}, options)).status, 200);
  assertEquals((await post(UNLOAD, {}, options)).status, 401);
  assertEquals((await post("/predict", {}, { token: "secret" })).status, 401);
});

test("pages of other origins are refused on every route that is not only read", async () => {
  const simple = { "content-type": "text/plain", origin: "https://evil.example" };
  for (const path of ["/predict", UNLOAD, "/v2/repository/index", "/v2/models/animals/infer"]) {
    const { status, ready } = await post(path, simple, { openRepository: true });
    assertEquals([path, status, ready], [path, 403, true]);
  }
  assertEquals((await post("/predict", { origin: "null" })).status, 403);
  assertEquals((await post("/predict", { "sec-fetch-site": "cross-site" })).status, 403);
  assertEquals((await post("/predict", { "sec-fetch-site": "same-site" })).status, 403);
});

test("the server's own page, listed origins, and programs without an origin are answered", async () => {
  for (
    const headers of [
      {},
      { origin: "http://localhost" },
      { origin: "https://localhost" }, // whatever ends TLS in front
      { "sec-fetch-site": "same-origin", origin: "https://public.example" }, // a proxy that changes the host
    ] as Record<string, string>[]
  ) assertEquals((await post("/predict", headers)).status, 200);
  const listed = { cors: ["https://friend.example"] };
  assertEquals((await post("/predict", { origin: "https://friend.example" }, listed)).status, 200);
  assertEquals((await post("/predict", { origin: "https://other.example" }, listed)).status, 403);
});

test("a page under a foreign name is refused though it is of the same origin, and so is any change", async () => {
  const rebound = "http://evil.example";
  const options = { openRepository: true };
  const page = await post(`${rebound}/v2/models/animals/infer`, { origin: rebound }, options);
  assertEquals([page.status, page.ready], [421, true]);
  const change = await post(`${rebound}${UNLOAD}`, {}, options);
  assertEquals([change.status, change.ready], [421, true]);
  assertStringIncludes(change.error, "--allowed-hosts");
  for (const allowedHosts of [["evil.example"], [".example"], ["*"]]) {
    assertEquals((await post(`${rebound}${UNLOAD}`, {}, { ...options, allowedHosts })).ready, false);
  }
  for (const own of ["http://127.0.0.1:80", "http://[::1]", "http://a.localhost", "http://10.1.2.3"]) {
    assertEquals((await post(`${own}${UNLOAD}`, {}, options)).status, 200);
  }
});

test("a connection that asks again at once after a refusal waits for the next, and whoever pauses does not", async () => {
  await using server = await serveFake({ maxQueue: 1, checkpoint: { delayMs: 3000 } });
  const taken = server.ask("/predict", { method: "POST", body: PHOTO });
  await until(() => server.models.resolve().batcher.load === 1);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(server.url.port) });
  const head = new TextEncoder().encode(
    `POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: ${PHOTO.length}\r\n\r\n`,
  );
  const ask = async () => {
    await connection.write(head);
    await connection.write(PHOTO);
    const buffer = new Uint8Array(4096);
    const length = await connection.read(buffer) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, length)).slice(0, 12);
  };
  const order: string[] = [];
  assertEquals(await ask(), "HTTP/1.1 429");
  const second = ask().then((status) => order.push(`at once ${status}`));
  await new Promise((resolve) => setTimeout(resolve, 150));
  const other = await server.ask("/predict", { method: "POST", body: PHOTO });
  order.push(`another ${other.status}`);
  await second;
  assertEquals(order, ["another 429", "at once HTTP/1.1 429"]);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assertEquals(await ask(), "HTTP/1.1 429");
  connection.close();
  assertEquals((await taken).status, 200);
});

Deno.test("who comes back at once again and again waits twice as long each time, and 4 seconds at most", () => {
  assertEquals([1, 2, 3, 4, 100].map(paceMs), [1000, 2000, 4000, 4000, 4000]);
});

test("one client may ask so often, its neighbours are not concerned, and only a trusted proxy is believed", async () => {
  for (const trustedProxies of [["127.0.0.0/8"], []]) {
    await using server = await serveFake({ maxRate: 3, trustedProxies });
    const ask = (address: string) => server.ask("/model", { headers: { "x-forwarded-for": address } });
    const first = [];
    for (let i = 0; i < 4; i++) first.push(await ask("10.0.0.1"));
    assertEquals(first.map(({ status }) => status), [200, 200, 200, 429]);
    assertEquals(first[3]!.headers.get("retry-after"), "1");
    assertEquals((await ask("10.0.0.2")).status, trustedProxies.length > 0 ? 200 : 429);
    assertEquals((await server.ask("/health")).status, 200);
  }
});

Deno.test("the client is the last address on the way that is no trusted proxy's", () => {
  const trusted = parseNetworks(["10.0.0.0/8", "::1"]);
  assertEquals(clientOf("203.0.113.9", "1.2.3.4", trusted), "203.0.113.9");
  assertEquals(clientOf("10.0.0.1", "1.2.3.4", trusted), "1.2.3.4");
  assertEquals(clientOf("::ffff:10.0.0.1", "1.2.3.4, 10.9.9.9", trusted), "1.2.3.4");
  assertEquals(clientOf("::1", "6.6.6.6, 1.2.3.4", trusted), "1.2.3.4");
  assertEquals(clientOf("10.0.0.1", undefined, trusted), "10.0.0.1");
  assertEquals(clientOf("10.0.0.1", "nonsense", trusted), "10.0.0.1");
  for (const bad of ["proxy.example", "10.0.0.0/33", "10.0.0.0/", "::1/129"]) {
    assertThrows(() => parseNetworks([bad]), Error, "Cannot trust the proxy");
  }
});
