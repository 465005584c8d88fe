import { assertEquals, assertStringIncludes } from "@std/assert";
import { FAKE_SIZE } from "../fake_loader.ts";
import { setUp } from "../fixture.ts";
import { floatInput, post, postBinary, ROW } from "./infer_client.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const photos = (shape: readonly number[], data: unknown) => ({
  inputs: [{ name: "image", shape, datatype: "BYTES", data }],
});

test("a million empty photos are refused by their number before they are parsed", async () => {
  await using server = await setUp();
  const { status, json } = await post(server, photos([1_000_000], Array(1_000_000).fill("")));
  assertEquals([status, json.error], [
    413,
    "Cannot read the inference request: its JSON has more than 4128 texts, " +
    "the most that 32 inputs of this model can have",
  ]);
});

test("a shape of more elements than the queue has places is refused whatever data come with it", async () => {
  await using server = await setUp({ maxQueue: 4 });
  const error = "Cannot take 5 inputs in one request: the queue has 4 places";
  const few = await post(server, photos([5], [""]));
  assertEquals([few.status, few.json.error], [413, error]);
  const none = await post(server, { inputs: [floatInput(5, [])] });
  assertEquals([none.status, none.json.error], [413, error]);
  const input = {
    name: "image",
    shape: [4_800_000],
    datatype: "BYTES",
    parameters: { binary_data_size: 40 },
  };
  const binary = await postBinary(server, { inputs: [input] }, [new Uint8Array(40)]);
  assertEquals(binary.status, 413);
});

const depth = 200;
for (
  const [name, body, status, words] of [
    ["lists in lists", `{"inputs":${"[".repeat(depth)}${"]".repeat(depth)}}`, 400, "nested deeper than 16"],
    ["objects in objects", `${'{"a":'.repeat(depth)}0${"}".repeat(depth)}`, 400, "nested deeper than 16"],
    ["lists", `{"inputs":[${"[],".repeat(4000)}[]]}`, 413, "more than 1152 lists"],
    ["objects", `{"inputs":[${"{},".repeat(300)}{}]}`, 413, "more than 256 objects"],
    ["numbers", `{"inputs":[${"0,".repeat(20_000)}0]}`, 413, "more than 10240 commas"],
    [
      "members",
      `{${Array.from({ length: 3000 }, (_, k) => `"${k}":0`)}}`,
      413,
      "more than 2048 members",
    ],
    ["inputs", `{"inputs":[${"0,".repeat(5000)}0]}`, 400, "it has 5001 inputs, expected 16 at most"],
    [
      "dimensions",
      `{"inputs":[{"name":"input","shape":[${"-1,".repeat(5000)}0],"datatype":"FP32","data":[]}]}`,
      400,
      "a shape has 5001 dimensions, expected 8 at most",
    ],
  ] as const
) {
  test(`JSON with more ${name} than a request can have is refused, whether read here or in the thread beside`, async () => {
    await using server = await setUp();
    for (const padding of [0, 40_000]) {
      const { status: got, json } = await post(server, body + " ".repeat(padding));
      assertEquals(got, status, json.error);
      assertStringIncludes(json.error, words);
    }
  });
}

test("what looks like structure within a text is none, and a full queue of nested tensors is taken", async () => {
  await using server = await setUp({ maxQueue: 32, maxBatch: 8 });
  const id = `\\${"[{,:".repeat(5000)}"`;
  const odd = await post(server, { id, inputs: [floatInput(1)] });
  assertEquals([odd.status, odd.json.id], [200, id]);
  const rows = Array(FAKE_SIZE).fill(Array(FAKE_SIZE).fill(1));
  const nested = Array(32).fill(Array(3).fill(rows));
  const { status, json } = await post(server, { inputs: [floatInput(32, nested)] });
  assertEquals([status, json.outputs?.[0].shape], [200, [32, 3]], json.error);
});

test("numbers a thousand times as large as a photo's are taken, larger ones are refused, in JSON and binary", async () => {
  await using server = await setUp();
  const alternating = (value: number) => Float32Array.from({ length: ROW }, (_, i) => i % 2 ? value : -value);
  const input = { name: "input", shape: [1, 3, FAKE_SIZE, FAKE_SIZE], datatype: "FP32" };
  const ask = async (values: Float32Array<ArrayBuffer>) => {
    const bytes = new Uint8Array(values.buffer);
    const sized = { ...input, parameters: { binary_data_size: bytes.length } };
    const binary = await postBinary(server, { inputs: [sized] }, [bytes]);
    const { status, json } = await post(server, { inputs: [floatInput(1, Array.from(values))] });
    assertEquals([binary.status, binary.json.error], [status, json.error]);
    return { status, error: json.error };
  };
  assertEquals((await ask(alternating(1000))).status, 200);
  assertEquals(await ask(alternating(3e38)), {
    status: 400,
    error: `Cannot read the inference request: input "input" has ${Math.fround(-3e38)} at 0, ` +
      "expected finite numbers from -1000 to 1000",
  });
  assertEquals((await ask(alternating(1001))).status, 400);
});
