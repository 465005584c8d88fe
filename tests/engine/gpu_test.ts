import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  Gpu,
  GpuLostError,
  GpuUnavailableError,
  GpuValidationError,
  kindOf,
  nameOf,
} from "../../engine/gpu.ts";
import { gpu } from "../gpu.ts";

const STORAGE = GPUBufferUsage.STORAGE;

Deno.test("a gpu has its adapter's limits, beyond those that every device has", () => {
  assertEquals(gpu.limits.maxBufferSize, gpu.adapter.limits.maxBufferSize);
  assertEquals(gpu.limits.maxStorageBufferBindingSize, gpu.adapter.limits.maxStorageBufferBindingSize);
  assert(gpu.name.length > 0);
  assert(["cpu", "discrete", "other"].includes(gpu.kind));
});

Deno.test("with minimum limits a gpu has no more than WebGPU promises everywhere", async () => {
  using small = await Gpu.request({ minimumLimits: true });
  assertEquals(small.limits.maxBufferSize, 256 * 2 ** 20);
  assertEquals(small.limits.maxStorageBufferBindingSize, 128 * 2 ** 20);
  assertEquals(small.limits.maxStorageBuffersPerShaderStage, 8);
});

Deno.test("without subgroups a gpu says that it has none", async () => {
  using plain = await Gpu.request({ noSubgroups: true });
  assertEquals(plain.subgroupSize, 0);
});

Deno.test("bytes count the buffers that exist", async () => {
  using own = await Gpu.request();
  const before = own.bytes;
  const a = own.createBuffer("a", 100, STORAGE), b = own.createBuffer("b", 1, STORAGE);
  assertEquals(own.bytes - before, 100 + 16);
  own.destroyBuffer(a);
  own.destroyBuffer(b);
  assertEquals(own.bytes, before);
});

Deno.test("a buffer beyond the device's limit is refused by its name", () => {
  const bytes = gpu.limits.maxBufferSize + 4;
  assertThrows(() => gpu.createBuffer("giant", bytes, STORAGE), GpuValidationError, "buffer giant");
});

Deno.test("guard names what was tried when WebGPU refuses a call", async () => {
  const bad = () => gpu.device.createBuffer({ label: "contradictory", size: 16, usage: 0x3ff });
  const error = await assertRejects(
    () => gpu.guard("make a buffer", bad),
    GpuValidationError,
    "Cannot make a buffer",
  );
  assert(error.message.length > "Cannot make a buffer: ".length, "the device's own message is missing");
  gpu.check();
});

Deno.test("guard gives back what the work gives and passes its own errors on", async () => {
  assertEquals(await gpu.guard("count", () => 3), 3);
  const fail = () => {
    throw new RangeError("mine");
  };
  await assertRejects(() => gpu.guard("fail", fail), RangeError, "mine");
  assertEquals(await gpu.guard("count", () => Promise.resolve(4)), 4);
});

Deno.test("an error that nobody waited for is thrown by the next use of the gpu", async () => {
  using own = await Gpu.request();
  own.device.createBuffer({ label: "contradictory", size: 16, usage: 0x3ff });
  await own.device.queue.onSubmittedWorkDone();
  for (let i = 0; i < 100 && !fails(() => own.check()); i++) await new Promise((done) => setTimeout(done, 1));
  assertThrows(() => own.check(), GpuValidationError, "WebGPU reported");
  assertThrows(() => own.createBuffer("later", 16, STORAGE), GpuValidationError, "WebGPU reported");
});

Deno.test("a disposed gpu refuses work and reports its loss", async () => {
  const own = await Gpu.request();
  own[Symbol.dispose]();
  own[Symbol.dispose]();
  assertThrows(() => own.check(), GpuLostError, "disposed");
  assertThrows(() => own.createBuffer("late", 16, STORAGE), GpuLostError, "disposed");
  await assertRejects(() => own.guard("work", () => 1), GpuLostError, "disposed");
  assertInstanceOf(await own.lost, GpuLostError);
});

Deno.test("an adapter that a browser describes by vendor and family alone has a name and a kind", () => {
  const adapter = (info: Partial<GPUAdapterInfo>) =>
    ({ info: { description: "", device: "", vendor: "", architecture: "", ...info } }) as GPUAdapter;
  const kind = (info: Partial<GPUAdapterInfo>) =>
    kindOf(nameOf(adapter(info)), info.vendor ?? "", info.architecture);
  const swiftshader = { vendor: "google", architecture: "swiftshader" };
  assertEquals([nameOf(adapter(swiftshader)), kind(swiftshader)], ["google swiftshader", "cpu"]);
  assertEquals(kind({ vendor: "nvidia", architecture: "ampere" }), "discrete");
  assertEquals(kind({ vendor: "intel", architecture: "gen-12lp" }), "other");
  assertEquals(kind({ ...swiftshader, description: "SwiftShader Device (Subzero)" }), "cpu");
  assertEquals(nameOf(adapter({})), "unknown adapter");
});

Deno.test("without an adapter the error says what to run", async () => {
  Object.defineProperty(navigator.gpu, "requestAdapter", {
    value: () => Promise.resolve(null),
    configurable: true,
  });
  try {
    await assertRejects(() => Gpu.request(), GpuUnavailableError, "deno task setup");
  } finally {
    Reflect.deleteProperty(navigator.gpu, "requestAdapter");
  }
  using again = await Gpu.request();
  again.check();
});

function fails(work: () => void): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}
