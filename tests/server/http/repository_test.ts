import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePhoto, setUp, until } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const PHOTO = await encodePhoto([10, 200, 10]);
type Server = Awaited<ReturnType<typeof setUp>>;

async function post(server: Server, path: string, body?: BodyInit) {
  const response = await server.app.request(path, {
    method: "POST",
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
}

async function predict(server: Server, query = "") {
  const response = await server.app.request(`/predict${query}`, { method: "POST", body: PHOTO });
  return { status: response.status, ...await response.json() };
}

test("the index lists every model, loaded or not, with state and reason", async () => {
  await using server = await setUp({ openRepository: true, available: { more: {} } });
  const { version } = server.models.resolve().identity;
  const { json } = await post(server, "/v2/repository/index", "{}");
  assertEquals(json, [
    { name: "animals", version, state: "READY", reason: "" },
    { name: "more", state: "UNAVAILABLE", reason: "not loaded yet" },
  ]);
  const ready = await post(server, "/v2/repository/index", '{"ready":true}');
  assertEquals(ready.json.length, 1);
  assertEquals((await post(server, "/v2/repository/index")).status, 200);
  assertEquals((await post(server, "/v2/repository/index", "nonsense")).status, 400);
  assertEquals((await post(server, "/v2/repository/index", "[".repeat(20_000))).status, 413);
  assertEquals((await post(server, "/v2/repository/index", '{"ready":"yes"}')).status, 400);
});

test("a model is loaded and unloaded by name", async () => {
  await using server = await setUp({
    openRepository: true,
    available: { more: { classes: ["x", "y", "z"] } },
  });
  assertEquals((await predict(server, "?model=more")).status, 404);
  assertEquals((await post(server, "/v2/repository/models/more/load")).status, 200);
  assertEquals((await predict(server, "?model=more")).class, "y");
  assertEquals(
    (await post(server, "/v2/repository/models/more/unload", '{"parameters":{"unload_dependents":true}}'))
      .status,
    200,
  );
  assertEquals((await predict(server, "?model=more")).status, 404);
  assertEquals(server.classifiers[1]!.closed, true);
  const { json } = await post(server, "/v2/repository/index");
  assertEquals(json[1], { name: "more", state: "UNAVAILABLE", reason: "unloaded" });
  assertEquals((await predict(server)).class, "green");
});

test("a name that is not known, a path, and an unknown parameter are refused", async () => {
  await using server = await setUp({ openRepository: true });
  for (const verb of ["load", "unload"]) {
    const { status, json } = await post(server, `/v2/repository/models/none/${verb}`);
    assertEquals([status, Object.keys(json)], [404, ["error"]]);
    assertEquals((await post(server, `/v2/repository/models/..%2f..%2fetc/${verb}`)).status, 404);
    const odd = await post(server, `/v2/repository/models/animals/${verb}`, '{"parameters":{"config":"{}"}}');
    assertEquals(odd.status, 400);
    assertStringIncludes(odd.json.error, "config");
  }
  assertEquals((await predict(server)).status, 200);
});

test("a reload swaps the model, and the old one is closed when its requests are answered", async () => {
  await using server = await setUp({ openRepository: true, checkpoints: { animals: { delayMs: 20 } } });
  const old = server.models.resolve();
  const running = [predict(server), predict(server)];
  while (old.batcher.load < 2) await new Promise((resolve) => setTimeout(resolve, 1));
  await Deno.writeTextFile(server.sources[0]!.path, JSON.stringify({ bias: 100 }));
  assertEquals((await post(server, "/v2/repository/models/animals/load")).status, 200);
  assertEquals((await predict(server)).class, "red");
  for (const answer of await Promise.all(running)) {
    assertEquals([answer.class, answer.version], ["green", old.identity.version]);
  }
  await until(() => server.classifiers[0]!.closed);
  assertEquals(server.classifiers.map((classifier) => classifier.closed), [true, false]);
});

for (
  const [name, content] of [
    ["is not a checkpoint", "junk"],
    ["answers its probe with NaN", '{"broken":true}'],
  ] as const
) {
  test(`a file that ${name} leaves the old model serving, and says so`, async () => {
    await using server = await setUp({ openRepository: true });
    const { version } = server.models.resolve().identity;
    await Deno.writeTextFile(server.sources[0]!.path, content);
    const { status, json } = await post(server, "/v2/repository/models/animals/load");
    assertEquals(status, 400);
    assertMatch(json.error, /^Cannot (open|serve)/);
    assert(!json.error.includes("/") && json.error.includes("animals-0.json"), json.error);
    assertEquals((await predict(server)).version, version);
    const index = await post(server, "/v2/repository/index");
    assertEquals(index.json[0].state, "READY");
    assertStringIncludes(index.json[0].reason, "the last reload failed");
    const health = await (await server.app.request("/health")).json();
    assert(!health.models[0].reason.includes("/"), health.models[0].reason);
    assertEquals(server.classifiers.slice(1).every((classifier) => classifier.closed), true);
    assertEquals(server.lines.filter((line) => line.message === "model not loaded").length, 1);
  });
}

test("a changed file is loaded, an unchanged one is not, a bad one is tried once, a missing one is left alone", async () => {
  await using server = await setUp({ openRepository: true });
  const path = server.sources[0]!.path;
  const count = async () => {
    await server.models.reloadChanged();
    return server.lines.filter((line) =>
      String(line.message).startsWith("model ") && line.message !== "model freed"
    ).length;
  };
  assertEquals(await count(), 1);
  await Deno.writeTextFile(path + ".new", JSON.stringify({ bias: 100 }));
  await Deno.rename(path + ".new", path);
  assertEquals(await count(), 2);
  assertEquals(await count(), 2);
  assertEquals((await predict(server)).class, "red");
  await Deno.writeTextFile(path, "junk that is no checkpoint");
  assertEquals(await count(), 3);
  assertEquals(await count(), 3);
  await Deno.remove(path);
  assertEquals(await count(), 3);
  assertEquals((await predict(server)).class, "red");
});

test("200 reloads under load fail no request and leave one model open", async () => {
  await using server = await setUp({
    openRepository: true,
    checkpoints: { animals: { delayMs: 1 } },
    maxQueue: 64,
  });
  let reloading = true;
  const failures: unknown[] = [];
  let answered = 0;
  const clients = Array.from({ length: 4 }, async () => {
    while (reloading) {
      const answer = await predict(server);
      if (answer.status === 200) answered++;
      else failures.push(answer);
    }
  });
  for (let i = 0; i < 200; i++) {
    await Deno.writeTextFile(server.sources[0]!.path, JSON.stringify({ delayMs: 1, bias: i }));
    await server.models.load("animals");
  }
  reloading = false;
  await Promise.all(clients);
  assertEquals(failures, []);
  assertEquals(answered > 0, true);
  const open = () => server.classifiers.filter((classifier) => !classifier.closed);
  await until(() => open().length === 1);
  assertEquals(open(), server.classifiers.slice(-1));
});
