import { assertEquals, assertMatch } from "@std/assert";
import { FAKE_SIZE } from "./fake_loader.ts";
import { setUp } from "./fixture.ts";
import { bytesTensor, floatInput, GREEN, post, postBinary, RED, tensor } from "./v2_client.ts";

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
