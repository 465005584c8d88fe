import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseSafetensors, type TensorValue, writeSafetensors } from "../../model/checkpoint/safetensors.ts";

Deno.test("safetensors that were written are read back exactly", () => {
  fc.assert(fc.property(
    fc.dictionary(
      fc.string(),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const values = fc.float32Array({ minLength: size, maxLength: size });
        return values.map((data) => ({ shape, data: Float32Array.from(data) }));
      }),
    ),
    fc.dictionary(fc.string(), fc.string()),
    (dictionary, metadata) => {
      const tensors = new Map<string, TensorValue>(
        Object.entries(dictionary).filter(([name]) => name !== "__metadata__"),
      );
      const bytes = writeSafetensors(tensors, metadata);
      const back = parseSafetensors(bytes);
      assertEquals({ ...back.metadata }, { ...metadata });
      assertEquals([...back.tensors.keys()].sort(), [...tensors.keys()].sort());
      for (const [name, { shape, data }] of tensors) {
        assertEquals(back.tensors.get(name), { dtype: "F32", shape, data });
      }
    },
  ));
});
