import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { FAKE_SIZE } from "../server/fake_loader.ts";
import { setUp } from "../server/fixture.ts";
import { bytesTensor, floatInput, INFER, post, postBinary, RED, ROW } from "../server/http/infer_client.ts";

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
  await using server = await setUp({ checkpoints: { animals: { gain: 5e37 } } });
  const { status, json } = await post(server, { inputs: [floatInput(1, Array(ROW).fill(900))] });
  assertEquals(status, 400);
  assertStringIncludes(json.error, "that the network's are not finite");
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
