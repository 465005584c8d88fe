import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePhoto, setUp } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const PHOTO = await encodePhoto([200, 10, 10]);

test("a model's card tells classes, accuracy and confusion, and not where the file lies", async () => {
  await using server = await setUp();
  const response = await server.app.request("/model");
  const card = await response.json();
  assertEquals(card.classes, ["red", "green", "blue"]);
  assertEquals([card.name, card.model, card.parameters, card.path], ["animals", "fake", 3, "animals-0.json"]);
  assertEquals(card.training.confusion.length, 3);
  assertMatch(card.version, /^[0-9a-f]{12}$/);
  assertEquals((await server.app.request("/model?model=none")).status, 404);
});

test("health names what is wrong", async () => {
  await using server = await setUp();
  const health = async () => await (await server.app.request("/health")).json();
  assertEquals((await health()).status, "ready");
  server.models.suspend("the device was lost");
  const { status, models } = await health();
  assertEquals([status, models[0].reason], ["unavailable", "the device was lost"]);
});

test("a model that is not loaded is 503 with Retry-After, on every route that needs it", async () => {
  await using server = await setUp({ unloaded: true });
  for (const path of ["/predict", "/v2/models/animals/infer"]) {
    const response = await server.app.request(path, { method: "POST", body: PHOTO });
    assertEquals([response.status, response.headers.get("retry-after")], [503, "1"]);
  }
  assertEquals((await server.app.request("/model")).status, 503);
});

test("what is not there is 404, a wrong method 405 with what is allowed, both as JSON", async () => {
  await using server = await setUp();
  const none = await server.app.request("/nothing");
  assertEquals([none.status, await none.json()], [404, { error: "Cannot find /nothing" }]);
  for (const [path, allow] of [["/predict", "POST"], ["/v2/models/animals/infer", "POST"]] as const) {
    const response = await server.app.request(path);
    assertEquals([response.status, response.headers.get("allow")], [405, allow]);
    assertMatch((await response.json()).error, /^Cannot GET /);
  }
  const deleted = await server.app.request("/health", { method: "DELETE" });
  assertEquals([deleted.status, deleted.headers.get("allow")], [405, "GET, HEAD"]);
  assertEquals((await server.app.request("/health", { method: "HEAD" })).status, 200);
  assertEquals((await server.app.request("/assets/../../serve.ts")).status, 404);
});

test("every answer has security headers and a request id, its own or the client's plain one", async () => {
  await using server = await setUp();
  const page = await server.app.request("/");
  const policy = page.headers.get("content-security-policy")!;
  assertStringIncludes(policy, "default-src 'none'");
  assert(!policy.includes("unsafe") && !policy.includes("http"));
  assertEquals(page.headers.get("x-content-type-options"), "nosniff");
  assertEquals(page.headers.get("x-frame-options"), "SAMEORIGIN");
  assertMatch(page.headers.get("x-request-id")!, /^[0-9a-f-]{36}$/);
  const own = await server.app.request("/health", { headers: { "x-request-id": "abc-1" } });
  assertEquals(own.headers.get("x-request-id"), "abc-1");
  const odd = await server.app.request("/health", { headers: { "x-request-id": 'a"b{}' } });
  assertMatch(odd.headers.get("x-request-id")!, /^[0-9a-f-]{36}$/);
});

test("a request's log line has its id, route, status and times, and an error's sentence", async () => {
  await using server = await setUp();
  await server.app.request("/predict", { method: "POST", body: PHOTO, headers: { "x-request-id": "one" } });
  await server.app.request("/predict", { method: "POST", body: "junk", headers: { "x-request-id": "two" } });
  const [one, two] = server.lines.filter((line) => line.message === "request");
  assertEquals([one!.requestId, one!.method, one!.path, one!.status], ["one", "POST", "/predict", 200]);
  assertEquals([one!.model, one!.photos, one!.bytes], ["animals", 1, PHOTO.length]);
  assert((one!.milliseconds as { decode: number }).decode >= 0);
  assertEquals([two!.requestId, two!.status], ["two", 415]);
  assertMatch(String(two!.error), /^Cannot /);
});

test("an error nobody foresaw is 500 without its inside, which is in the log", async () => {
  await using server = await setUp();
  server.classifiers[0]!.classify = () => Promise.reject(new Error("secret path /srv"));
  const response = await server.app.request("/predict", { method: "POST", body: PHOTO });
  assertEquals(response.status, 500);
  const { error } = await response.json();
  assert(!error.includes("secret"));
  assertStringIncludes(String(server.lines.at(-1)!.stack), "secret path");
});

test("metrics count requests by route, batches, times, queue and memory, without series for invented paths", async () => {
  await using server = await setUp();
  for (let i = 0; i < 3; i++) await server.app.request("/predict", { method: "POST", body: PHOTO });
  await server.app.request(`/x/${crypto.randomUUID()}`, { method: "BREW" });
  await server.app.request("/v2/models/animals");
  const response = await server.app.request("/metrics");
  assertStringIncludes(response.headers.get("content-type")!, "text/plain");
  const text = await response.text();
  for (
    const line of [
      'alexnet_http_requests_total{route="/predict",method="POST",code="200"} 3',
      'alexnet_http_requests_total{route="none",method="other",code="404"} 1',
      'alexnet_http_requests_total{route="/v2/models/:model",method="GET",code="200"} 1',
      'alexnet_batch_size_count{model="animals"} 3',
      'alexnet_stage_seconds_count{stage="decode"} 3',
      'alexnet_stage_seconds_count{stage="compute"} 3',
      'alexnet_queue_length{model="animals"} 0',
      "alexnet_device_memory_bytes 1000",
      "alexnet_ready 1",
      "alexnet_device_losses_total 0",
    ]
  ) assertStringIncludes(text, line);
  assertMatch(text, /process_resident_memory_bytes \d{6,}/);
  assertMatch(text, /# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total \d/);
  assertMatch(text, /process_start_time_seconds \d{10}/);
});

test("with a token, everything but the page and the probes asks for it", async () => {
  await using server = await setUp({ token: "s3cret" });
  const status = async (path: string, authorization?: string, method = "GET") => {
    const headers = authorization === undefined ? {} : { authorization };
    return (await server.app.request(path, {
      method,
      headers,
      ...(method === "POST" ? { body: PHOTO } : {}),
    })).status;
  };
  for (
    const open of [
      "/",
      "/docs",
      "/openapi.json",
      "/health",
      "/v2/health/live",
      "/v2/health/ready",
      "/assets/app.js",
    ]
  ) {
    assertEquals(await status(open), 200, open);
  }
  for (
    const wrong of [
      undefined,
      "",
      "Bearer",
      "Bearer ",
      "Bearer s3cre",
      "Bearer s3crets",
      "Basic s3cret",
      "s3cret",
    ]
  ) {
    assertEquals(await status("/predict", wrong, "POST"), 401, String(wrong));
  }
  for (const path of ["/model", "/metrics", "/v2", "/v2/models/animals", "/nothing"]) {
    assertEquals(await status(path), 401, path);
  }
  assertEquals(await status("/predict", "Bearer s3cret", "POST"), 200);
  assertEquals(await status("/model", "bearer s3cret"), 200);
  const refused = await server.app.request("/model");
  assertEquals(refused.headers.get("www-authenticate"), "Bearer");
});

test("only the origins that were named may call from a browser", async () => {
  await using server = await setUp({ cors: ["https://a.example"], token: "s3cret" });
  const preflight = (origin: string) =>
    server.app.request("/predict", {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      },
    });
  const allowed = await preflight("https://a.example");
  assertEquals(allowed.headers.get("access-control-allow-origin"), "https://a.example");
  assertEquals(allowed.headers.get("access-control-allow-headers"), "authorization");
  assertEquals((await preflight("https://b.example")).headers.get("access-control-allow-origin"), null);
  await using closed = await setUp();
  const response = await closed.app.request("/health", { headers: { origin: "https://a.example" } });
  assertEquals(response.headers.get("access-control-allow-origin"), null);
});

test("the page's files are served with their types, and not again while unchanged", async () => {
  await using server = await setUp();
  for (
    const [path, type] of [
      ["/", "text/html"],
      ["/docs", "text/html"],
      ["/assets/app.js", "text/javascript"],
      ["/assets/base.css", "text/css"],
      ["/favicon.svg", "image/svg+xml"],
    ] as const
  ) {
    const response = await server.app.request(path);
    assertEquals(response.status, 200);
    assertStringIncludes(response.headers.get("content-type")!, type);
    const etag = response.headers.get("etag")!;
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await server.app.request(path, { headers: { "if-none-match": known } });
      assertEquals([again.status, again.headers.get("etag")], [304, etag]);
      assertEquals(again.headers.get("cache-control"), "no-cache");
    }
    const changed = await server.app.request(path, { headers: { "if-none-match": '"other"' } });
    assertEquals(changed.status, 200);
  }
});

test("the OpenAPI document describes every route with its schemas", async () => {
  await using server = await setUp();
  const document = await (await server.app.request("/openapi.json")).json();
  assertEquals(document.openapi, "3.1.0");
  const described = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`)
  );
  const routes = server.app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path}`);
  const page = /^GET \/($|docs$|assets\/|favicon|openapi)/;
  assertEquals(new Set(described), new Set(routes.filter((route) => !page.test(route))));
  assert(described.includes("POST /v2/models/:model/versions/:version/infer"));
  const text = JSON.stringify(document);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert(name! in document.components.schemas, `${name} is not described`);
  }
  assertEquals(document.components.schemas.inference_request.required, ["inputs"]);
  assert("multipart/form-data" in document.paths["/predict"].post.requestBody.content);
});

test("an error that repeats what the client sent is one line of bounded length", async () => {
  await using server = await setUp();
  for (const path of [`/${"a".repeat(5000)}`, `/predict?model=a%0Ab${"c".repeat(5000)}`]) {
    const { error } = await (await server.app.request(path, { method: "POST", body: "x" })).json();
    assertMatch(error, /^Cannot find .{1,620}$/);
  }
});
