import { assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../server/inference/errors.ts";
import { type ModelInput, parseInferRequest } from "../../../server/inference/infer_request.ts";

/** More than are looked at in one piece. */
const COUNT = 39_999;

const MODEL = { height: 1, width: COUNT / 3, places: 1, largest: 1e4 };

/** A request with binary data; `padding` moves the data to another offset of the body. */
function requestOf(values: Float32Array<ArrayBuffer>, padding: number, model: ModelInput = MODEL) {
  const input = {
    name: "input",
    shape: [1, 3, 1, COUNT / 3],
    datatype: "FP32",
    parameters: { binary_data_size: values.byteLength },
  };
  const header = new TextEncoder().encode(JSON.stringify({ inputs: [input] }) + " ".repeat(padding));
  const body = new Uint8Array(header.length + values.byteLength);
  body.set(header);
  body.set(new Uint8Array(values.buffer), header.length);
  return parseInferRequest(body, header.length, model);
}

Deno.test("binary values come back as they were, wherever in the body they lie", () => {
  const values = new Float32Array(COUNT).map((_, i) => Math.sin(i));
  values.set([-0, 3.4e38, -3.4e38, 1e-45]);
  for (const padding of [0, 1, 2, 3]) {
    const { input } = requestOf(values, padding, { ...MODEL, largest: 3.4e38 });
    const bytes = (input.data as Uint8Array<ArrayBuffer>).slice();
    assertEquals(new Float32Array(bytes.buffer), values);
  }
});

for (const index of [0, 1, 2, 3, 16_383, 16_384, COUNT - 1]) {
  Deno.test(`a value that is not finite or too large is found and named at ${index}`, () => {
    for (const [padding, value] of [NaN, Infinity, -Infinity, 1e5].entries()) {
      const values = new Float32Array(COUNT).fill(1, 0, index).fill(value, index, index + 1).fill(
        2,
        index + 1,
      );
      assertThrows(() => requestOf(values, padding), RequestError, `input "input" has ${value} at ${index},`);
    }
  });
}
