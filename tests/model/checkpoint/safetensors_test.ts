import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "../../../model/checkpoint/files.ts";
import { parseSafetensors, writeSafetensors } from "../../../model/checkpoint/safetensors.ts";

/** A file of this header and data, whatever they say. */
function file(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

function f32(begin: number, end: number, shape = [(end - begin) / 4]) {
  return { dtype: "F32", shape, data_offsets: [begin, end] };
}

function refused(bytes: Uint8Array, words: RegExp): void {
  const error = assertThrows(() => parseSafetensors(bytes, "x.safetensors"), CheckpointError);
  assert(words.test(error.message), `unexpected message: ${error.message}`);
  assert(error.message.startsWith("Cannot read x.safetensors: "), error.message);
}

Deno.test("no name of a tensor or of metadata is special but __metadata__", () => {
  for (const name of ["__proto__", "constructor", "toString", ""]) {
    const metadata = Object.fromEntries([[name, "text"]]);
    const tensors = new Map([[name, { shape: [], data: Float32Array.of(7) }]]);
    const back = parseSafetensors(writeSafetensors(tensors, metadata));
    assertEquals(Object.entries(back.metadata), [[name, "text"]]);
    assertEquals([...back.tensors.keys()], [name]);
  }
});

Deno.test("safetensors data begins at a multiple of 8 bytes, after spaces", () => {
  for (let length = 1; length <= 9; length++) {
    const tensors = new Map([["w".repeat(length), { shape: [], data: Float32Array.of(7) }]]);
    const bytes = writeSafetensors(tensors);
    const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    assertEquals(header % 8, 0);
    assertEquals(bytes.length, 8 + header + 4);
    assert(/\} *$/.test(new TextDecoder().decode(bytes.subarray(8, 8 + header))));
  }
});

Deno.test("safetensors of other types become f32", () => {
  const read = (dtype: string, data: ArrayBufferView) => [
    ...parseSafetensors(file(
      { x: { dtype, shape: [3], data_offsets: [0, data.byteLength] } },
      new Uint8Array(data.buffer as ArrayBuffer),
    )).tensors.get("x")!.data,
  ];
  assertEquals(read("F64", Float64Array.of(1.5, -2, 1e300)), [1.5, -2, Infinity]);
  assertEquals(read("F16", Uint16Array.of(0x3c00, 0xc100, 0x0001)), [1, -2.5, 2 ** -24]);
  assertEquals(read("BF16", Uint16Array.of(0x3f80, 0xc020, 0x7f80)), [1, -2.5, Infinity]);
  assertEquals(read("I64", BigInt64Array.of(0n, -3n, 12345n)), [0, -3, 12345]);
});

Deno.test("safetensors read from an odd offset of a larger buffer", () => {
  const bytes = file({ x: f32(0, 8) }, new Uint8Array(Float32Array.of(1.25, -8).buffer));
  const shifted = new Uint8Array(bytes.length + 5);
  shifted.set(bytes, 5);
  assertEquals([...parseSafetensors(shifted.subarray(5)).tensors.get("x")!.data], [1.25, -8]);
});

Deno.test("I64 tensors are written first so that they are aligned", () => {
  const tensors = new Map([
    ["odd", { shape: [1], data: Float32Array.of(0.5) }],
    ["steps", { shape: [], data: Float32Array.of(9) }],
  ]);
  const { tensors: back } = parseSafetensors(writeSafetensors(tensors, {}, (name) => name === "steps"));
  assertEquals([...back.keys()], ["steps", "odd"]);
  assertEquals(back.get("steps")!.dtype, "I64");
  assertAlmostEquals(back.get("steps")!.data[0]!, 9);
});

Deno.test("truncated safetensors are refused at every length", () => {
  const bytes = writeSafetensors(new Map([["w", { shape: [2, 2], data: new Float32Array(4) }]]), { a: "b" });
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => parseSafetensors(bytes.subarray(0, length)), CheckpointError);
  }
  refused(new Uint8Array(), /it has 0 bytes, wanted at least 8/);
  refused(bytes.subarray(0, 20), /header claims \d+ bytes, 12 follow/);
});

Deno.test("a header that claims to be huge is refused before it is read", () => {
  const bytes = new Uint8Array(16);
  for (const length of [100_000_001n, 2n ** 63n, 2n ** 64n - 1n]) {
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    refused(bytes, /it is no safetensors file \(.+, wanted at most 100000000\)/);
  }
  refused(new TextEncoder().encode("epoch,step,lr\n"), /: it is no safetensors file \(/);
});

Deno.test("a header that is no JSON object is refused", () => {
  for (const text of ["", "{", "[]", "null", "3", '"x"', " {}", "{}x", '{"\xff":']) {
    refused(file(text), /its header is not (a JSON object|valid JSON)/);
  }
  const bytes = file('{"x":1}');
  bytes[10] = 0xff; // not UTF-8
  refused(bytes, /not valid JSON/);
});

Deno.test("metadata must be strings and entries must be complete", () => {
  refused(file({ __metadata__: { epoch: 3 } }), /__metadata__/);
  refused(file({ __metadata__: [] }), /__metadata__/);
  for (
    const entry of [null, [], 3, {}, { ...f32(0, 0), shape: [-1] }, { ...f32(0, 0), shape: [0.5] }, {
      ...f32(0, 0),
      data_offsets: [0],
    }, { ...f32(0, 0), data_offsets: [-4, 0] }]
  ) refused(file({ x: entry }), /tensor x lacks/);
  refused(file({ x: { ...f32(0, 4), dtype: "C64" } }, new Uint8Array(4)), /type C64, wanted one of F64/);
  refused(file({ x: { ...f32(0, 0), dtype: "toString" } }), /type toString/);
});

Deno.test("tensors must tile the data exactly", () => {
  const data = new Uint8Array(16);
  refused(
    file({ a: f32(0, 8), b: f32(4, 16) }, data),
    /b starts at byte 4 inside the one before it, wanted 8/,
  );
  refused(file({ a: f32(0, 4), b: f32(8, 16) }, data), /b starts at byte 8 after a gap, wanted 4/);
  refused(file({ a: f32(4, 16) }, data), /a starts at byte 4 after a gap/);
  refused(file({ a: f32(0, 8), b: f32(8, 20) }, data), /b ends at byte 20, the data has 16/);
  refused(file({ a: f32(0, 12) }, data), /4 bytes follow the last tensor/);
  refused(file({ a: f32(0, 16, [3]) }, data), /has 16 bytes, its shape \[3\] of F32 wants 12/);
  refused(file({ a: f32(8, 4, [1]) }, data), /has -4 bytes/);
  refused(file({ a: f32(0, 16, [2 ** 31, 2 ** 31, 2 ** 31]) }, data), /has 16 bytes/);
});

Deno.test("a name given twice is refused, however it is spelt", () => {
  const entry = JSON.stringify(f32(0, 0));
  refused(file(`{"a":${entry},"a":${entry}}`), /names a twice/);
  refused(file(`{"a":${entry},"\\u0061" :${entry}}`), /names a twice/);
  refused(file(`{"__metadata__":{"k":"1","k":"2"}}`), /names k twice/);
  parseSafetensors(file(`{"a":${entry},"b":${entry},"__metadata__":{"a":"{\\"a\\":1}"}}`));
});

Deno.test("a tensor whose values do not fill its shape is not written", () => {
  const tensors = new Map([["w", { shape: [2, 3], data: new Float32Array(5) }]]);
  assertThrows(() => writeSafetensors(tensors), CheckpointError, "5 values, its shape [2,3] wants 6");
});
