import { assert, assertEquals } from "@std/assert";
import { noise } from "../../bench/kernels/cases.ts";
import { costOf, measureCeilings, rate } from "../../bench/kernels/ceilings.ts";
import { modelCases, productCases, runCase } from "../../bench/kernels/kernels.ts";
import { placedLayers } from "../../bench/kernels/layers.ts";
import { Gpu } from "../../engine/gpu.ts";
import type { Launch } from "../../engine/kernel.ts";
import * as conv2d from "../../engine/kernels/conv2d/conv2d.ts";
import { sgd } from "../../engine/kernels/optimizer/optimizer.ts";
import * as relu from "../../engine/kernels/relu/relu.ts";
import type { Plan } from "../../engine/plan.ts";
import { clocksAgree, timeLaunches } from "../../engine/profile.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { alterLaunches } from "../alter_launch.ts";
import { gpu, planOnly, shapeOnly } from "../gpu.ts";

const CEILINGS = { gigaflops: 100, gigabytes: 10 };

/** The first launch that an op records. */
function launchOf(record: (plan: Plan) => unknown): Launch {
  const plan = planOnly();
  record(plan);
  return plan.launches[0]!;
}

Deno.test("all three products of a convolution cost two operations for each weight and output pixel", () => {
  const x = shapeOnly([2, 9, 7, 3]), weight = shapeOnly([3, 3, 4, 6]), dy = shapeOnly([2, 4, 3, 6]);
  const wanted = 2 * (2 * 4 * 3) * (3 * 3) * 4 * 6, stride = 2;
  const forward = launchOf((plan) => conv2d.forward(plan, { x, weight, stride }));
  const inputGrad = launchOf((plan) => conv2d.inputGrad(plan, { dy, weight, x, stride }));
  const weightGrad = launchOf((plan) => conv2d.weightGrad(plan, { x, dy, dWeight: weight, stride }));
  assertEquals([forward, inputGrad, weightGrad].map((launch) => costOf(launch).flops), [
    wanted,
    wanted,
    wanted,
  ]);
});

Deno.test("channels of other groups do not count", () => {
  const x = shapeOnly([1, 4, 4, 8]), weight = shapeOnly([1, 1, 8, 8]);
  const cost = (groups: number) =>
    costOf(launchOf((plan) => conv2d.forward(plan, { x, weight, groups }))).flops!;
  assertEquals(cost(1), 2 * cost(2));
});

Deno.test("an element-wise kernel moves each tensor once, an optimiser its parameters and state twice", () => {
  const t = shapeOnly([16]), params = shapeOnly([4]);
  assertEquals(costOf(launchOf((plan) => relu.forward(plan, { x: t }))), { flops: undefined, bytes: 128 });
  const step = launchOf((plan) => sgd(plan, { parameter: t, gradient: t, velocity: t, params }));
  assertEquals(costOf(step).bytes, 5 * 64 + 16);
});

Deno.test("a launch is measured against the ceiling that it is nearer to", () => {
  const x = shapeOnly([1, 4, 4, 8]), weight = shapeOnly([1, 1, 8, 8]);
  const product = launchOf((plan) => conv2d.forward(plan, { x, weight }));
  const { flops, bytes } = costOf(product);
  // The time in which exactly half of the arithmetic ceiling is reached.
  const milliseconds = flops! / 50 / 1e6;
  const found = rate(product, milliseconds, { gigaflops: 100, gigabytes: bytes / milliseconds / 1e6 * 4 });
  assertEquals([found.bound, found.share.toFixed(6)], ["arithmetic", "0.500000"]);
  assertEquals(rate(launchOf((plan) => relu.forward(plan, { x })), 1, CEILINGS).bound, "memory");
});

Deno.test("clocks agree within a factor of two, and never where one stands still", () => {
  assertEquals(
    [[10, 11], [10, 19], [10, 21], [10, 0], [0, 10], [1000, 10]].map(([a, b]) => clocksAgree(a!, b!)),
    [
      true,
      true,
      false,
      false,
      false,
      false,
    ],
  );
});

Deno.test("noise is the same for the same seed, differs between seeds and looks standard normal", () => {
  const values = noise(1, 200_000);
  assertEquals(noise(1, 10), values.slice(0, 10));
  assert(noise(2, 10).some((v, i) => v !== values[i]));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  assert(Math.abs(mean) < 0.02 && Math.abs(variance - 1) < 0.02, `${mean} ${variance}`);
});

Deno.test("the layers of a network are placed as the network has them", () => {
  const layers = placedLayers(architecture("alexnet", { classes: 10 }));
  assertEquals(layers.filter(({ layer }) => layer.kind === "relu"), [], "every ReLU follows a product");
  assertEquals(layers.filter(({ wantInput }) => !wantInput).map(({ name }) => name), ["features.0"]);
  const at = (name: string) => layers.find((placed) => placed.name === name)!;
  assert(at("features.0").reluAfter && !at("features.0").reluBefore);
  assert(at("features.2").reluBefore && !at("features.3").reluBefore && at("features.8").reluBefore);
  assertEquals(at("classifier.1").input.c, 9216);
});

Deno.test("both paths of a block have the block's input, and the ReLU after a block is not its last layer's", () => {
  const layers = placedLayers(architecture("compact-res", { classes: 3, size: 64 }));
  const at = (name: string) => layers.find((placed) => placed.name === name)!;
  assert(
    !at("layer1.0.conv1").reluBefore && !at("layer1.0.downsample.0").reluBefore,
    "a pooling comes before",
  );
  assert(at("layer2.0.conv1").reluBefore && at("layer2.0.downsample.0").reluBefore);
  assert(at("layer2.0.bn1").reluAfter && at("layer2.0.conv2").reluBefore && !at("layer2.0.bn2").reluAfter);
});

/** Every kind of layer; eight values are the least that a batch normalisation's gradient is well defined for. */
for (const [model, size] of [["compact-bn", 95], ["alexnet-2012", 63]] as const) {
  Deno.test(`every kernel of ${model} agrees with the reference and is then timed`, async () => {
    const ceilings = await measureCeilings(gpu, "wall", true);
    assert(ceilings.gigaflops > 0 && ceilings.gigabytes > 0);
    const { name, cases } = modelCases(model, 2, size, 5);
    for (const one of cases) {
      const rows = await runCase(gpu, name, one, ceilings, { repeats: 1, clock: "timestamp" });
      for (const row of rows) {
        assert(row.correct, `${row.case} ${row.launch}: error ${row.error}`);
        assert(row.milliseconds >= 0 && row.gigabytes > 0 && row.share > 0, JSON.stringify(row));
      }
    }
  });
}

Deno.test("a wrong kernel is told and not timed", async () => {
  // Three of the eight output columns are left out.
  using broken = await Gpu.request();
  alterLaunches(
    broken,
    (launch) => launch.name.startsWith("conv2d_forward") ? { ...launch, grid: [1, 1, 1] as const } : launch,
  );
  const [row] = await runCase(broken, "matrix", productCases(256).cases[0]!, CEILINGS, {
    repeats: 1,
    clock: "timestamp",
  });
  assert(!row!.correct && row!.error > 0.01 && Number.isNaN(row!.milliseconds), JSON.stringify(row));
});

/** What is wrong with an image in the middle of the batch, in which kernel, and the text that makes it so. */
for (
  const [wrong, kernel, right, broken] of [
    [
      "whose gradient is forgotten",
      "conv2d_weight_grad",
      "s.pixel < s.end)",
      "s.pixel < s.end && s.n != 2u)",
    ],
    ["that is taken for the one before", "conv2d_weight_grad", "min(s.n, N - 1u)", "s.n - u32(s.n == 2u)"],
    ["that is left out", "conv2d_forward", "row.pixel < N", "row.pixel / (OH * OW) != 2u && row.pixel < N"],
  ] as const
) {
  Deno.test(`an image in the middle of the batch ${wrong} is told`, async () => {
    using other = await Gpu.request();
    let altered = 0;
    alterLaunches(other, (launch) => {
      if (!launch.name.startsWith(kernel)) return launch;
      const wgsl = launch.wgsl.replaceAll(right, broken);
      altered += Number(wgsl !== launch.wgsl);
      return { ...launch, wgsl };
    });
    const { cases } = modelCases("compact", 5, 61, 3);
    const one = cases.find(({ name }) => name.startsWith("features.3 "))!;
    const rows = await runCase(other, "compact", one, CEILINGS, { repeats: 1, clock: "timestamp" });
    assert(altered > 0 && rows.every(({ correct, error }) => !correct && error > 1e-3), JSON.stringify(rows));
  });
}

Deno.test("the wall clock gives each launch a time too", async () => {
  const rows = await runCase(gpu, "matrix", productCases(64).cases[0]!, CEILINGS, {
    repeats: 2,
    clock: "wall",
  });
  assert(rows.length === 1 && rows[0]!.milliseconds > 0 && rows[0]!.gigaflops! > 0);
  assertEquals(await timeLaunches(gpu, [], { repeats: 1, clock: "wall" }), []);
});
