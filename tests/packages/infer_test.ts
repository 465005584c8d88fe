import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { FAKE_SIZE } from "../server/fake_loader.ts";
import { setUp } from "../server/fixture.ts";
import {
  bytesTensor,
  floatInput,
  GREEN,
  post,
  postBinary,
  RED,
  ROW,
  tensor,
} from "../server/http/infer_client.ts";

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
