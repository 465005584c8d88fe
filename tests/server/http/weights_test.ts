import { assertEquals, assertMatch } from "@std/assert";
import { setUp } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");
const engine = new TextEncoder().encode("export const engine = true;\n");

test("a server gives neither weights nor the engine unless it was started to", async () => {
  await using server = await setUp();
  for (const path of ["/model/weights", "/assets/alexnet.js", "/train", "/doctor"]) {
    assertEquals((await server.app.request(path)).status, 404, path);
  }
  assertEquals((await (await server.app.request("/model")).json()).weights, undefined);
  const { paths } = await (await server.app.request("/openapi.json")).json();
  assertEquals("/model/weights" in paths, false);
});

test("a server for visitors' own devices gives each version's file, and the engine", async () => {
  await using server = await setUp({ engine, checkpoints: { animals: [{}, { classes: ["a", "b"] }] } });
  const script = await server.app.request("/assets/alexnet.js");
  assertMatch(script.headers.get("content-type")!, /^text\/javascript/);
  assertEquals(new Uint8Array(await script.arrayBuffer()), engine);
  for (const path of ["/train", "/doctor"]) {
    const page = await (await server.app.request(path)).text();
    for (const [, asset] of page.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)) {
      assertEquals((await server.app.request(`/${asset}`)).status, 200, asset);
    }
  }
  for (const { path } of server.sources) {
    const bytes = await Deno.readFile(path);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, 12);
    const card = await (await server.app.request(`/model?version=${hash}`)).json();
    assertEquals(card.weights, `/model/weights?model=animals&version=${hash}`);
    const response = await server.app.request(card.weights);
    assertEquals(response.headers.get("content-length"), String(bytes.length));
    assertEquals(new Uint8Array(await response.arrayBuffer()), bytes);
  }
});

test("weights are not given under a version that their file no longer has, nor without the token", async () => {
  await using server = await setUp({ engine });
  const { weights } = await (await server.app.request("/model")).json();
  await Deno.writeTextFile(server.sources[0]!.path, "something else");
  const response = await server.app.request(weights);
  assertEquals(response.status, 503);
  assertMatch((await response.json()).error, /^Cannot give the weights of animals: its file has changed/);
  await using guarded = await setUp({ engine, token: "s3cret" });
  assertEquals((await guarded.app.request("/model/weights")).status, 401);
});
