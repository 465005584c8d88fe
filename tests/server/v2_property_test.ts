import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FAKE_SIZE } from "./fake_loader.ts";
import { setUp } from "./fixture.ts";
import { post, postBinary, ROW } from "./v2_client.ts";

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
