import { assertEquals, assertRejects } from "@std/assert";
import { Gpu } from "../../engine/gpu.ts";
import { Readback, READBACK_BYTES } from "../../engine/readback.ts";
import { createTensor, destroyTensor, readTensor, writeTensor } from "../../engine/tensor.ts";
import { gpu } from "../gpu.ts";

Deno.test("a read returns what was written just before, time after time, small and large", async () => {
  const large = READBACK_BYTES / 4 + 4;
  for (const size of [4, 1000, READBACK_BYTES / 4, large]) {
    const tensor = createTensor(gpu, "read", [size]);
    for (let i = 1; i <= 20; i++) {
      writeTensor(gpu, tensor, new Float32Array(size).fill(i));
      const values = await readTensor(gpu, tensor);
      assertEquals([values.length, values[0], values.at(-1)], [size, i, i]);
    }
    destroyTensor(gpu, tensor);
  }
});

Deno.test("reads that overlap do not mix", async () => {
  const tensors = Array.from({ length: 8 }, (_, i) => {
    const tensor = createTensor(gpu, `read ${i}`, [64]);
    writeTensor(gpu, tensor, new Float32Array(64).fill(i));
    return tensor;
  });
  const values = await Promise.all(tensors.map((t) => readTensor(gpu, t)));
  assertEquals(values.map((v) => v[63]), [0, 1, 2, 3, 4, 5, 6, 7]);
  for (const tensor of tensors) destroyTensor(gpu, tensor);
});

/** A device whose buffers can be read only after their promise, as the specification has it. */
function patient(fail = false): GPUDevice {
  const bytes = new Uint8Array(READBACK_BYTES);
  let mapped = false, waiting = 0;
  const buffer = {
    async mapAsync() {
      assertEquals([mapped, waiting++], [false, 0], "mapped twice at a time");
      await new Promise((done) => setTimeout(done, 2));
      waiting--;
      if (fail && bytes[0] === 1) throw new Error("the device is gone");
      mapped = true;
    },
    getMappedRange(from: number, size: number) {
      if (!mapped) throw new Error("not mapped");
      return bytes.buffer.slice(from, from + size);
    },
    unmap: () => void (mapped = false),
  };
  const encoder = {
    finish: () => ({}),
    clearBuffer: (_: unknown, at: number, size: number) => bytes.fill(0, at, at + size),
    write: (value: number) => bytes.fill(value, 0, 4),
  };
  return {
    createBuffer: () => buffer,
    createCommandEncoder: () => encoder,
    queue: { submit() {} },
  } as unknown as GPUDevice;
}

// deno-lint-ignore no-explicit-any -- the encoder above, which writes at once
const writing = (value: number) => (encoder: any) => encoder.write(value);

Deno.test("where memory is mapped only with the promise, reads wait for it, one after another", async () => {
  const readback = await Readback.create(patient());
  const found = await Promise.all([5, 6, 7].map((value) => readback.read(4, writing(value))));
  assertEquals(found.map((bytes) => new Uint8Array(bytes)[3]), [5, 6, 7]);
  await readback.settle();
});

Deno.test("a read that fails tells its caller and lets the next one try", async () => {
  const readback = await Readback.create(patient(true));
  const failing = readback.read(4, writing(1));
  const next = readback.read(4, writing(2));
  await assertRejects(() => failing, Error, "the device is gone");
  assertEquals(new Uint8Array(await next)[0], 2);
});

Deno.test("a lost device ends a read with an error", async () => {
  const own = await Gpu.request();
  const tensor = createTensor(own, "read", [4]);
  own.device.destroy();
  await assertRejects(() => readTensor(own, tensor));
});
