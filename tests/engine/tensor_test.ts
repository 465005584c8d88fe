import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Gpu, GpuLostError } from "../../engine/gpu.ts";
import {
  alignTo4,
  createTensor,
  destroyTensor,
  layoutOf,
  readTensor,
  readTensors,
  Tensor,
  writeTensor,
} from "../../engine/tensor.ts";
import { gpu } from "../gpu.ts";

/** Makes a tensor for one test. */
async function withTensor(
  shape: readonly number[],
  work: (tensor: Tensor) => Promise<void> | void,
): Promise<void> {
  const tensor = createTensor(gpu, "t", shape);
  try {
    await work(tensor);
  } finally {
    destroyTensor(gpu, tensor);
  }
}

const counting = (size: number) => Float32Array.from({ length: size }, (_, i) => i + 1);

Deno.test("the last dimension is padded to a multiple of four", () => {
  assertEquals([0, 1, 3, 4, 5, 50].map(alignTo4), [0, 4, 4, 4, 8, 52]);
  assertEquals(layoutOf("t", [37, 21, 50]), { size: 38850, pitch: 52, length: 40404 });
  assertEquals(layoutOf("t", [1]), { size: 1, pitch: 4, length: 4 });
});

for (const shape of [[], [0], [3, 0], [2, -1], [1.5], [NaN], [Infinity]]) {
  Deno.test(`a tensor of shape [${shape}] is refused by its label`, () => {
    assertThrows(() => layoutOf("odd", shape), RangeError, `tensor odd: its shape is [${shape}]`);
  });
}

Deno.test("a new tensor is zero, padding included", () =>
  withTensor([2, 3, 5], async (tensor) => {
    assertEquals(await readTensor(gpu, tensor.flat()), new Float32Array(48));
  }));

for (const shape of [[1], [4], [7], [2, 3, 5], [3, 8], [37, 21, 50]]) {
  Deno.test(`values of shape [${shape}] come back, and the padding stays zero`, () =>
    withTensor(shape, async (tensor) => {
      const values = counting(tensor.size);
      writeTensor(gpu, tensor, values);
      const [back, raw] = await readTensors(gpu, [tensor, tensor.flat()]);
      assertEquals(back, values);
      const last = shape.at(-1)!;
      const wanted = Float32Array.from(raw!, (_, i) => {
        const column = i % tensor.pitch;
        return column < last ? values[Math.floor(i / tensor.pitch) * last + column]! : 0;
      });
      assertEquals(raw, wanted);
    }));
}

Deno.test("a tensor of u32 takes and gives whole numbers, bit by bit", async () => {
  const tensor = createTensor(gpu, "t", [2, 3], "u32");
  const values = Uint32Array.of(0, 1, 0xffffffff, 0x7f800001, 0x80000000, 0x7fc00001);
  writeTensor(gpu, tensor, values);
  assertEquals(await readTensor(gpu, tensor), values);
  destroyTensor(gpu, tensor);
});

Deno.test("a reshaped tensor is the same memory, and its size is the new shape's", () =>
  withTensor([2, 3, 8], async (tensor) => {
    const flat = tensor.reshape([6, 8]), padded = tensor.reshape([12, 3]);
    assertEquals([flat.size, flat.pitch, flat.length, flat.buffer], [48, 8, 48, tensor.buffer]);
    assertEquals([padded.size, padded.pitch, padded.length], [36, 4, 48]);
    writeTensor(gpu, tensor, counting(48));
    assertEquals(await readTensor(gpu, flat), counting(48));
    assertThrows(() => tensor.reshape([6, 9]), RangeError, "Cannot reshape t [2,3,8] to [6,9]");
  }));

for (const length of [0, 5, 7, 1000]) {
  Deno.test(`${length} values for a tensor of 6 are refused`, () =>
    withTensor([2, 3], (tensor) => {
      assertThrows(
        () => writeTensor(gpu, tensor, new Float32Array(length)),
        RangeError,
        `got ${length} values, wanted 6`,
      );
    }));
}

Deno.test("a tensor larger than a binding is refused with both sizes", () => {
  const limit = gpu.limits.maxStorageBufferBindingSize;
  const before = gpu.bytes;
  assertThrows(
    () => createTensor(gpu, "fc6", [limit / 4 + 1]),
    RangeError,
    `one binding of this device holds ${limit}`,
  );
  assertEquals(gpu.bytes, before);
});

Deno.test("a view reads and writes its own part of a buffer", () =>
  withTensor([256], async (tensor) => {
    writeTensor(gpu, tensor, counting(256));
    const view = new Tensor("view", [3, 5], "f32", tensor.buffer, 256);
    writeTensor(gpu, view, counting(15).map((v) => -v));
    const back = await readTensor(gpu, tensor);
    assertEquals([...back.slice(62, 74)], [63, 64, -1, -2, -3, -4, -5, 0, 0, 0, -6, -7]);
    assertEquals([...await readTensor(gpu, view)], [...counting(15).map((v) => -v)]);
  }));

Deno.test("reading nothing gives nothing", async () => {
  assertEquals(await readTensors(gpu, []), []);
});

Deno.test("reading leaves no staging memory behind", () =>
  withTensor([1000], async (tensor) => {
    const before = gpu.bytes;
    await readTensors(gpu, [tensor, tensor]);
    assertEquals(gpu.bytes, before);
  }));

Deno.test("a disposed gpu reads nothing", async () => {
  const own = await Gpu.request();
  const tensor = createTensor(own, "t", [4]);
  own[Symbol.dispose]();
  await assertRejects(() => readTensor(own, tensor), GpuLostError, "disposed");
});
