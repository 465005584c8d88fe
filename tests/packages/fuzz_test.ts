import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ask } from "../../bench/server/attacks/connection.ts";
import { FAKE_SIZE } from "../server/fake_loader.ts";
import { encodePhoto, serveFake } from "../server/fixture.ts";
import { type FuzzRequest, fuzzRequests, type FuzzTarget, problems, toBytes } from "./fuzz_requests.ts";

const TOKEN = "s3cret";

Deno.test("requests that are almost right, for every route, are answered without a failure and with errors of one form", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/fake.json`;
    await Deno.writeTextFile(path, "{}");
    const models = ["first", "second"] as const;
    await using server = await serveFake({
      sources: models.map((name) => ({ name, path })),
      token: TOKEN,
      limits: { bodyTimeoutMs: 2000 },
    });
    const target: FuzzTarget = {
      paths: JSON.parse((await server.ask("/openapi.json")).text).paths,
      models,
      version: server.models.resolve().identity.version,
      size: FAKE_SIZE,
      token: TOKEN,
      photos: [await encodePhoto([200, 10, 10]), await encodePhoto([10, 200, 10], { format: "jpeg" })],
      secrets: [folder, new URL("../../", import.meta.url).pathname],
    };
    const { hostname, port } = server.url;
    await fc.assert(
      fc.asyncProperty(fuzzRequests(target), async (request) => {
        const head = request.method === "HEAD";
        const { outcome } = await ask({ hostname, port: Number(port) }, toBytes(request), 30_000, head);
        assertEquals(problems(request, outcome, target), []);
      }),
      { numRuns: 500 },
    );
    const { status } = await server.ask("/v2/models/first/ready", {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    assertEquals(status, 200);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an answer that breaks a rule is seen to, and one that keeps them is not", () => {
  const request: FuzzRequest = { route: "/predict", method: "POST", path: "/predict", headers: {} };
  const target = { secrets: ["/srv/models/"] } as unknown as FuzzTarget;
  const found = (status: number, body: string, method = "POST") =>
    problems({ ...request, method }, {
      status,
      headers: {},
      body: new TextEncoder().encode(body),
      length: 0,
    }, target);
  const error = (text: string) => JSON.stringify({ error: text });
  const kept: [number, string, string?][] = [
    [200, '{"class":"a"}'],
    [400, error("Cannot read the request: it is at most 5 bytes")],
    [503, '{"live":true,"ready":false}'],
    [504, error("Cannot answer in time")],
    [404, "", "HEAD"],
  ];
  for (const [status, body, method] of kept) assertEquals(found(status, body, method), [], body);
  const broken: [number, string][] = [
    [500, error("Cannot answer")],
    [400, ""],
    [400, "[]"],
    [400, error("")],
    [400, JSON.stringify({ error: "Cannot", stack: "x" })],
    [400, error("Cannot\n    at file:///a.ts:1:2")],
    [400, error("Cannot\n    at Object.run (a.ts:1:2)")],
    [200, '{"path":"/srv/models/a"}'],
  ];
  for (const [status, body] of broken) assertEquals(found(status, body).length, 1, body);
  assertEquals(problems(request, "cut", target), ["no answer (cut)"]);
});
