import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { Gpu, GpuValidationError } from "../../engine/gpu.ts";
import { accumulate } from "../../engine/kernels/add/add.ts";
import { forward } from "../../engine/kernels/relu/relu.ts";
import { Plan, submit, submitFirst, withSourceLines } from "../../engine/plan.ts";
import { readTensor, writeTensor } from "../../engine/tensor.ts";
import { gpu } from "../gpu.ts";

/** A plan with one ReLU. */
function reluPlan(label: string) {
  const plan = new Plan(gpu, label);
  const x = plan.tensor([5], "x"), y = forward(plan, { x });
  return { plan, x, y };
}

Deno.test("a plan runs its launches as often as it is asked, each time on what is there", async () => {
  using plan = new Plan(gpu, "sum");
  const x = plan.tensor([5], "x"), sum = plan.tensor([5], "sum");
  accumulate(plan, { x, y: sum });
  await plan.compile();
  writeTensor(gpu, x, Float32Array.of(1, 2, 3, 4, 5));
  plan.run();
  plan.run();
  writeTensor(gpu, x, Float32Array.of(10, 10, 10, 10, 10));
  plan.run();
  assertEquals([...await readTensor(gpu, sum)], [12, 14, 16, 18, 20]);
});

Deno.test("in steps a plan compiles and runs the same, and others may use the device at each pause", async () => {
  using plan = new Plan(gpu, "steps");
  using other = new Plan(gpu, "other");
  const x = plan.tensor([5], "x"), sum = plan.tensor([5], "sum"), y = forward(plan, { x });
  accumulate(plan, { x: y, y: sum });
  accumulate(other, { x: y, y: sum });
  await other.compile();
  writeTensor(gpu, x, Float32Array.of(-1, 2, -3, 4, -5));
  let pauses = 0;
  const pause = () => Promise.resolve(void pauses++);
  await plan.compile(pause);
  assertEquals(pauses, 2);
  const seen: number[][] = [];
  await plan.runInSteps(async () => {
    seen.push([...await readTensor(gpu, sum)]);
    if (seen.length === 1) other.run();
  });
  assertEquals(seen, [[0, 0, 0, 0, 0], [0, 4, 0, 8, 0]]);
});

Deno.test("a launch that is refused is named with its lines when a plan compiles in steps, too", async () => {
  const { plan, x, y } = reluPlan("bad");
  using _ = plan;
  const [launch] = plan.launches;
  plan.add({ ...launch!, wgsl: `${launch!.wgsl}\nnonsense`, tensors: [x, y] });
  const error = await assertRejects(() => plan.compile(() => Promise.resolve()), GpuValidationError);
  assertStringIncludes(error.message, "Cannot compile relu.forward");
  assertStringIncludes(error.message, "nonsense");
});

Deno.test("submitted together, plans run in order", async () => {
  const { plan: first, x, y } = reluPlan("first");
  using _first = first;
  using second = new Plan(gpu, "second");
  const sum = second.tensor([5], "sum");
  accumulate(second, { x: y, y: sum });
  await first.compile();
  await second.compile();
  writeTensor(gpu, x, Float32Array.of(-1, 2, -3, 4, -5));
  submit(gpu, [first, second, second]);
  assertEquals([...await readTensor(gpu, sum)], [0, 4, 0, 8, 0]);
});

Deno.test("disposal frees every tensor of a plan, once", () => {
  const before = gpu.bytes;
  const plan = new Plan(gpu, "short");
  plan.tensor([100, 100]);
  plan.tensor([7]);
  assertEquals(plan.bytes, (10000 + 8) * 4);
  assertEquals(gpu.bytes - before, plan.bytes);
  plan[Symbol.dispose]();
  plan[Symbol.dispose]();
  assertEquals(gpu.bytes, before);
});

Deno.test("a plan that is not compiled does not run", () => {
  const { plan } = reluPlan("raw");
  using _ = plan;
  assertThrows(() => plan.run(), GpuValidationError, "Cannot run plan raw: it is not compiled");
});

Deno.test("a compiled plan takes no more launches", async () => {
  const { plan, x } = reluPlan("closed");
  using _ = plan;
  assertEquals(await plan.compile(), plan);
  assertEquals(await plan.compile(), plan);
  assertThrows(() => forward(plan, { x }), GpuValidationError, "Cannot add to plan closed");
});

Deno.test("a disposed plan neither compiles nor runs", async () => {
  const { plan } = reluPlan("gone");
  await plan.compile();
  plan[Symbol.dispose]();
  await assertRejects(() => plan.compile(), GpuValidationError, "Cannot compile plan gone: it was disposed");
  assertThrows(() => plan.run(), GpuValidationError, "plan gone");
});

const FAULTS: Readonly<Record<string, { wgsl: string; says: string }>> = {
  "a syntax error": { wgsl: "@compute fn step( {", says: "broken.step" },
  "a type error": {
    wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
      @compute @workgroup_size(1) fn step() { x[0] = vec2f(1.0); }`,
    says: "broken.step",
  },
  "another entry point": {
    wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
      @compute @workgroup_size(1) fn other() { x[0] = 1.0; }`,
    says: "broken.step",
  },
  "a binding too many": {
    wgsl: `@group(0) @binding(0) var<storage, read_write> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> z: array<f32>;
      @compute @workgroup_size(1) fn step() { x[0] = z[0]; }`,
    says: "broken.step",
  },
};

for (const [what, { wgsl, says }] of Object.entries(FAULTS)) {
  Deno.test(`a kernel with ${what} is refused with its launch's name when the plan compiles`, async () => {
    // Twice: the second time the broken module is in the cache.
    for (let i = 0; i < 2; i++) {
      const { plan, x } = reluPlan("faulty");
      using _ = plan;
      plan.add({ name: "broken.step", wgsl, tensors: [x], constants: {}, grid: [1, 1, 1] });
      const error = await assertRejects(() => plan.compile(), GpuValidationError, says);
      assert(!/relu/.test(error.message), "the wrong launch is blamed");
      assert(!/ is invalid$/.test(error.message.trim()), `the cause is missing: ${error.message}`);
    }
    gpu.check();
  });
}

Deno.test("an override that is not given is refused when the plan compiles", async () => {
  const { plan } = reluPlan("incomplete");
  using _ = plan;
  plan.add({ ...plan.launches[0]!, constants: { GROUP: 64 } });
  await assertRejects(() => plan.compile(), GpuValidationError, "relu.forward");
});

Deno.test("a refused kernel is shown around the line that the driver names", async () => {
  const wgsl = Array.from({ length: 9 }, (_, i) => `// line ${i + 1}`);
  wgsl[5] = "fn step( {";
  const { plan, x } = reluPlan("shown");
  using _ = plan;
  plan.add({ name: "broken.step", wgsl: wgsl.join("\n"), tensors: [x], constants: {}, grid: [1, 1, 1] });
  const { message } = await assertRejects(() => plan.compile(), GpuValidationError, "broken.step");
  assert(message.includes(">    6 | fn step( {"), message);
  assert(message.includes("     3 | // line 3") && !message.includes("| // line 2\n"), message);
});

Deno.test("a message without a place stays as it is", () => {
  assertEquals(withSourceLines("no luck", { name: "a.b", wgsl: "fn" }), "no luck");
});

Deno.test("kernels that run for the first time are counted, each once, to the same result and in the same order", async () => {
  const counts: [number, number][] = [], made: [number, number][] = [];
  using own = await Gpu.request({
    onCompile: (what, done, total) => (what === "Compiling" ? counts : made).push([done, total]),
  });
  using plan = new Plan(own, "first");
  const sum = plan.tensor([5], "sum");
  // Six sizes are six pipelines, and each is used twice.
  const xs = [5, 12, 16, 20, 24, 28].map((size) => plan.tensor([size], `x${size}`));
  for (const x of [...xs, ...xs]) forward(plan, { x });
  accumulate(plan, { x: forward(plan, { x: xs[0]! }), y: sum });
  await plan.compile();
  writeTensor(own, xs[0]!, Float32Array.of(1, -2, 3, -4, 5));
  assertEquals([own.kernels.size, plan.fresh], [7, true]);
  assertEquals(made, [1, 2, 3, 4, 5, 6, 7].map((done) => [done, 7]));
  let copied = 0;
  await submitFirst(own, [plan], () => copied++);
  assertEquals([...await readTensor(own, sum)], [1, 0, 3, 0, 5]);
  assertEquals([copied, plan.fresh, counts.at(-1)], [1, false, [7, 7]]);
  assertEquals(counts[0], [4, 7]);
  const before = counts.length;
  await submitFirst(own, [plan]);
  assertEquals([...await readTensor(own, sum)], [2, 0, 6, 0, 10]);
  assertEquals(counts.length, before);
});
