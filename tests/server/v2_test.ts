import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { FAKE_SIZE } from "./fake_loader.ts";
import { encodePhoto, setUp } from "./fixture.ts";

const RED = await encodePhoto([200, 10, 10]);
const GREEN = await encodePhoto([10, 200, 10]);
const ROW = 3 * FAKE_SIZE * FAKE_SIZE;
const INFER = "/v2/models/animals/infer";

/** `n` inputs whose channel `k` is 32 times `k + 1` in the first, 0 elsewhere: logits are the means over 32. */
function tensor(n: number): Float32Array<ArrayBuffer> {
  const data = new Float32Array(n * ROW);
  for (let i = 0; i < ROW; i++) data[i] = 32 * (1 + Math.floor(i / (FAKE_SIZE * FAKE_SIZE)));
  return data;
}

function floatInput(n: number, data: unknown = Array.from(tensor(n))) {
  return { name: "input", shape: [n, 3, FAKE_SIZE, FAKE_SIZE], datatype: "FP32", data };
}

type Server = Awaited<ReturnType<typeof setUp>>;

async function post(server: Server, body: unknown, path = INFER) {
  const response = await server.app.request(path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  return { status: response.status, json: await response.json() };
}

/** A request in the binary tensor data extension: JSON, then the tensors' bytes. */
async function postBinary(
  server: Server,
  json: unknown,
  parts: readonly Uint8Array[],
  headerLength?: number,
) {
  const header = new TextEncoder().encode(JSON.stringify(json));
  const body = new Uint8Array(await new Blob([header, ...parts as Uint8Array<ArrayBuffer>[]]).arrayBuffer());
  const response = await server.app.request(INFER, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(headerLength ?? header.length),
    },
  });
  const bytes = await response.bytes();
  const length = Number(response.headers.get("inference-header-content-length") ?? bytes.length);
  const decoded = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
  return { status: response.status, headers: response.headers, json: decoded, rest: bytes.slice(length) };
}

function bytesTensor(...elements: readonly Uint8Array[]): Uint8Array {
  const parts = elements.flatMap((bytes) => [new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes]);
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

Deno.test("the server's metadata names its extensions", async () => {
  await using server = await setUp();
  const response = await server.app.request("/v2");
  const { name, version, extensions } = await response.json();
  assertEquals(name, "alexnet-webgpu");
  assertMatch(version, /^\d+\.\d+\.\d+$/);
  assertEquals(extensions, ["binary_tensor_data", "classification", "model_repository"]);
});

Deno.test("the server is live always, and ready when it can answer", async () => {
  await using server = await setUp();
  const status = async (path: string) => (await server.app.request(path)).status;
  const all = async () => [
    await status("/v2/health/live"),
    await status("/v2/health/ready"),
    await status("/v2/models/animals/ready"),
    await status("/health"),
  ];
  assertEquals(await all(), [200, 200, 200, 200]);
  for (const phase of ["starting", "recovering", "draining"] as const) {
    server.state.phase = phase;
    assertEquals(await all(), [200, 503, 503, 503]);
  }
  server.state.phase = "serving";
  server.models.suspend("the device was lost");
  assertEquals(await all(), [200, 503, 503, 503]);
  assertEquals(await (await server.app.request("/v2/models/animals/ready")).json(), {
    name: "animals",
    ready: false,
  });
});

Deno.test("a model's metadata gives its inputs, outputs and versions, with and without a version in the path", async () => {
  await using server = await setUp();
  const { version } = server.models.resolve().identity;
  for (const path of ["/v2/models/animals", `/v2/models/animals/versions/${version}`]) {
    const response = await server.app.request(path);
    assertEquals(response.status, 200);
    assertEquals(await response.json(), {
      name: "animals",
      versions: [version],
      platform: "webgpu_wgsl",
      inputs: [
        { name: "input", datatype: "FP32", shape: [-1, 3, FAKE_SIZE, FAKE_SIZE] },
        { name: "image", datatype: "BYTES", shape: [-1] },
      ],
      outputs: [
        { name: "logits", datatype: "FP32", shape: [-1, 3] },
        { name: "probabilities", datatype: "FP32", shape: [-1, 3] },
        { name: "class", datatype: "BYTES", shape: [-1] },
      ],
    });
  }
});

Deno.test("a model or version that is not there is 404 in the protocol's error form", async () => {
  await using server = await setUp();
  for (const path of ["/v2/models/none", "/v2/models/none/ready", "/v2/models/animals/versions/9"]) {
    const response = await server.app.request(path);
    assertEquals(response.status, 404);
    assertEquals(Object.keys(await response.json()), ["error"]);
  }
  assertEquals((await post(server, { inputs: [floatInput(1)] }, "/v2/models/none/infer")).status, 404);
});

Deno.test("FP32 tensors are answered with every output, the id and the version", async () => {
  await using server = await setUp();
  const { status, json } = await post(server, { id: "42", inputs: [floatInput(2)] });
  assertEquals(status, 200);
  const { version } = server.models.resolve().identity;
  assertEquals([json.model_name, json.model_version, json.id], ["animals", version, "42"]);
  const [logits, probabilities, best] = json.outputs;
  assertEquals(logits, { name: "logits", shape: [2, 3], datatype: "FP32", data: [1, 2, 3, 0, 0, 0] });
  assertEquals([probabilities.name, probabilities.shape, probabilities.datatype], [
    "probabilities",
    [2, 3],
    "FP32",
  ]);
  assertEquals(Math.fround(probabilities.data[3]), Math.fround(1 / 3));
  assertEquals(best, { name: "class", shape: [2], datatype: "BYTES", data: ["blue", "red"] });
  assertEquals(server.classifiers[0]!.batches.at(-1), 2);
});

Deno.test("tensor data may be nested as its shape says", async () => {
  await using server = await setUp();
  const flat = Array.from(tensor(2));
  const fold = (values: unknown[], size: number) =>
    Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));
  const nested = fold(fold(fold(flat, FAKE_SIZE), FAKE_SIZE), 3);
  const { json } = await post(server, { inputs: [floatInput(2, nested)], outputs: [{ name: "logits" }] });
  assertEquals(json.outputs, [{ name: "logits", shape: [2, 3], datatype: "FP32", data: [1, 2, 3, 0, 0, 0] }]);
  assertEquals("id" in json, false);
});

Deno.test("a request larger than a batch is answered whole", async () => {
  await using server = await setUp({ maxBatch: 4 });
  const { json } = await post(server, { inputs: [floatInput(11)], outputs: [{ name: "logits" }] });
  assertEquals([json.outputs[0].shape, json.outputs[0].data.length], [[11, 3], 33]);
});

Deno.test("encoded photos come as base64 text, one per element", async () => {
  await using server = await setUp();
  const data = [GREEN.toBase64(), RED.toBase64()];
  for (const shape of [[2], [2, 1]]) {
    const { status, json } = await post(server, {
      inputs: [{ name: "image", shape, datatype: "BYTES", data }],
    });
    assertEquals(status, 200);
    assertEquals(json.outputs[2].data, ["green", "red"]);
  }
});

Deno.test("binary tensors come after the JSON and go back so where it is asked for", async () => {
  await using server = await setUp();
  const input = { name: "input", shape: [2, 3, FAKE_SIZE, FAKE_SIZE], datatype: "FP32" };
  const bytes = new Uint8Array(tensor(2).buffer);
  const answer = await postBinary(server, {
    inputs: [{ ...input, parameters: { binary_data_size: bytes.length } }],
    outputs: [
      { name: "logits", parameters: { binary_data: true } },
      { name: "probabilities" },
      { name: "class", parameters: { binary_data: true } },
    ],
  }, [bytes]);
  assertEquals(answer.status, 200);
  assertEquals(answer.headers.get("content-type"), "application/octet-stream");
  const [logits, probabilities, best] = answer.json.outputs;
  assertEquals(logits, {
    name: "logits",
    shape: [2, 3],
    datatype: "FP32",
    parameters: { binary_data_size: 24 },
  });
  assertEquals(probabilities.data.length, 6);
  assertEquals(best.parameters, { binary_data_size: 4 + 4 + 4 + 3 });
  assertEquals([...new Float32Array(answer.rest.slice(0, 24).buffer)], [1, 2, 3, 0, 0, 0]);
  const names = bytesTensor(new TextEncoder().encode("blue"), new TextEncoder().encode("red"));
  assertEquals(answer.rest.slice(24), new Uint8Array(names));
});

Deno.test("binary_data_output asks for all outputs as binary data, binary_data overrides it", async () => {
  await using server = await setUp();
  const photos = bytesTensor(RED, GREEN);
  const answer = await postBinary(server, {
    parameters: { binary_data_output: true },
    inputs: [{
      name: "image",
      shape: [2],
      datatype: "BYTES",
      parameters: { binary_data_size: photos.length },
    }],
    outputs: [{ name: "class", parameters: { binary_data: false } }, { name: "logits" }],
  }, [photos]);
  assertEquals(answer.status, 200);
  assertEquals(answer.json.outputs[0].data, ["red", "green"]);
  assertEquals(answer.json.outputs[1].parameters, { binary_data_size: 24 });
  assertEquals(answer.rest.length, 24);
});

Deno.test("the classification parameter answers value, index and label of the largest", async () => {
  await using server = await setUp();
  const { json } = await post(server, {
    inputs: [floatInput(1)],
    outputs: [{ name: "logits", parameters: { classification: 2 } }],
  });
  assertEquals(json.outputs, [
    { name: "logits", shape: [1, 2], datatype: "BYTES", data: ["3:2:blue", "2:1:green"] },
  ]);
});

const nan = new Uint8Array(Float32Array.from({ length: ROW }, () => NaN).buffer);
const refused: readonly [name: string, body: unknown][] = [
  ["no JSON", "{"],
  ["JSON of another kind", "[1]"],
  ["no inputs", {}],
  ["an empty list of inputs", { inputs: [] }],
  ["two inputs", { inputs: [floatInput(1), floatInput(1)] }],
  ["an unknown input", { inputs: [{ ...floatInput(1), name: "x" }] }],
  ["another datatype", { inputs: [{ ...floatInput(1), datatype: "FP64" }] }],
  ["the other input's datatype", { inputs: [{ ...floatInput(1), name: "image" }] }],
  ["a wrong shape", { inputs: [{ ...floatInput(1), shape: [3, FAKE_SIZE, FAKE_SIZE] }] }],
  ["another size", {
    inputs: [{ name: "input", shape: [1, 3, 2, 2], datatype: "FP32", data: Array(12).fill(0) }],
  }],
  ["no rows", { inputs: [floatInput(0)] }],
  ["a negative dimension", { inputs: [{ ...floatInput(1), shape: [-1, 3, 8, 8] }] }],
  ["dimensions beyond any memory", { inputs: [{ ...floatInput(1), shape: [2 ** 40, 2 ** 40, 2 ** 40, 8] }] }],
  ["a fractional dimension", { inputs: [{ ...floatInput(1), shape: [1.5, 3, 8, 8] }] }],
  ["too little data", { inputs: [floatInput(1, Array(ROW - 1).fill(0))] }],
  ["no data", { inputs: [{ name: "input", shape: [1, 3, 8, 8], datatype: "FP32" }] }],
  ["text among numbers", { inputs: [floatInput(1, Array(ROW).fill("0"))] }],
  ["null among numbers", { inputs: [floatInput(1, Array(ROW).fill(null))] }],
  [
    "numbers that overflow",
    JSON.stringify({ inputs: [floatInput(1, Array(ROW).fill(7))] }).replaceAll("7", "1e39"),
  ],
  ["nesting that does not fit the shape", { inputs: [floatInput(1, [[[[0]]]])] }],
  [
    "nesting without end",
    `{"inputs":[{"name":"input","shape":[1],"datatype":"FP32","data":${"[".repeat(5e4)}`,
  ],
  ["text that is not base64", { inputs: [{ name: "image", shape: [1], datatype: "BYTES", data: ["***"] }] }],
  ["a photo that is none", {
    inputs: [{ name: "image", shape: [1], datatype: "BYTES", data: ["aGVsbG8="] }],
  }],
  ["an unknown output", { inputs: [floatInput(1)], outputs: [{ name: "x" }] }],
  ["an id that is no text", { id: 42, inputs: [floatInput(1)] }],
  ["a binary size without binary data", {
    inputs: [{ name: "input", shape: [1, 3, 8, 8], datatype: "FP32", parameters: { binary_data_size: 768 } }],
  }],
];

Deno.test("what does not fit the protocol or the model is refused in the protocol's error form", async (t) => {
  await using server = await setUp();
  for (const [name, body] of refused) {
    await t.step(name, async () => {
      const { status, json } = await post(server, body);
      assert(
        status === 400 || (status === 415 && name === "a photo that is none"),
        `${status}: ${json.error}`,
      );
      assertEquals(Object.keys(json), ["error"]);
      assertMatch(json.error, /^Cannot /);
      assert(json.error.length < 700);
    });
  }
  assertEquals(server.models.resolve().batcher.load, 0);
  assertEquals((await post(server, { inputs: [floatInput(1)] })).status, 200);
});

Deno.test("binary data that does not fit is refused", async (t) => {
  await using server = await setUp();
  const input = { name: "input", shape: [1, 3, FAKE_SIZE, FAKE_SIZE], datatype: "FP32" };
  const sized = (size: number) => ({ inputs: [{ ...input, parameters: { binary_data_size: size } }] });
  const zeros = new Uint8Array(ROW * 4);
  const photos = (bytes: Uint8Array) =>
    [{
      inputs: [{
        name: "image",
        shape: [1],
        datatype: "BYTES",
        parameters: { binary_data_size: bytes.length },
      }],
    }, [bytes]] as const;
  const cases: readonly [string, unknown, readonly Uint8Array[], number?][] = [
    ["less than announced", sized(ROW * 4), [zeros.subarray(4)]],
    ["more than announced", sized(ROW * 4), [zeros, zeros]],
    ["another size than the shape's", sized(8), [new Uint8Array(8)]],
    ["not a number", sized(ROW * 4), [nan]],
    ["a header longer than the body", sized(0), [], 1e9],
    ["a header of no bytes", sized(0), [], 0],
    ["an element cut off", ...photos(bytesTensor(RED).subarray(0, 50))],
    ["a length cut off", ...photos(new Uint8Array(3))],
    ["an element too many", ...photos(bytesTensor(RED, RED))],
    ["an element of four gigabytes", ...photos(new Uint8Array([255, 255, 255, 255, 1]))],
  ];
  for (const [name, json, parts, headerLength] of cases) {
    await t.step(name, async () => {
      const answer = await postBinary(server, json, parts, headerLength);
      assertEquals(answer.status, 400);
      assertEquals(Object.keys(answer.json), ["error"]);
    });
  }
  const response = await server.app.request(INFER, {
    method: "POST",
    body: "{}",
    headers: { "inference-header-content-length": "-1" },
  });
  assertEquals(response.status, 400);
});

Deno.test("finite inputs whose answer is not finite are refused instead of answered with null", async () => {
  await using server = await setUp({ checkpoints: { animals: { gain: 1000 } } });
  const huge = new Float32Array(ROW).fill(3e38);
  const { status, json } = await post(server, {
    inputs: [floatInput(1, Array.from(huge, (v) => Number(v)))],
  });
  assertEquals(status, 400);
  assertStringIncludes(json.error, "finite");
});

Deno.test("any JSON is answered with 200, 400 or 415, never with a failure of the server", async () => {
  await using server = await setUp();
  const parameters = fc.dictionary(
    fc.string(),
    fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)),
  );
  const shape = fc.oneof(
    fc.array(fc.integer({ min: -1, max: 9 }), { maxLength: 9 }),
    fc.constant([1, 3, 8, 8]),
  );
  const input = fc.record({
    name: fc.constantFrom("input", "image", "x"),
    shape,
    datatype: fc.constantFrom("FP32", "BYTES", "INT8", ""),
    parameters,
    data: fc.oneof(
      fc.array(fc.oneof(fc.double(), fc.string(), fc.boolean()), { maxLength: 30 }),
      fc.jsonValue(),
    ),
  }, { requiredKeys: [] });
  const request = fc.record({
    id: fc.oneof(fc.string(), fc.integer()),
    parameters,
    inputs: fc.oneof(fc.array(input, { maxLength: 3 }), fc.jsonValue()),
    outputs: fc.oneof(
      fc.array(fc.record({ name: fc.string(), parameters }, { requiredKeys: [] })),
      fc.jsonValue(),
    ),
  }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(fc.oneof(request, fc.jsonValue()), async (body) => {
      const { status, json } = await post(server, body);
      assert([200, 400, 413, 415].includes(status), `${status}: ${json.error}`);
      if (status !== 200) assertEquals(Object.keys(json), ["error"]);
    }),
    { numRuns: 300 },
  );
});

Deno.test("any tensors of the right shape are answered with logits that follow from them, in JSON and binary alike", async () => {
  await using server = await setUp();
  const values = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 3, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(values, { minLength: 1, maxLength: 10 }),
      fc.boolean(),
      async (rows, binary) => {
        const plane = FAKE_SIZE * FAKE_SIZE;
        const data = new Float32Array(rows.length * ROW);
        rows.forEach((means, n) =>
          means.forEach((mean, k) => data.fill(mean, n * ROW + k * plane, n * ROW + (k + 1) * plane))
        );
        const input = { name: "input", shape: [rows.length, 3, FAKE_SIZE, FAKE_SIZE], datatype: "FP32" };
        const outputs = [{ name: "logits" }];
        const { json } = binary
          ? await postBinary(server, {
            inputs: [{ ...input, parameters: { binary_data_size: data.byteLength } }],
            outputs,
          }, [new Uint8Array(data.buffer)])
          : await post(server, { inputs: [{ ...input, data: Array.from(data) }], outputs });
        assertEquals(
          json.outputs[0].data,
          rows.flatMap((means) => means.map((mean) => Math.fround(mean / 32))),
        );
      },
    ),
    { numRuns: 30 },
  );
});
