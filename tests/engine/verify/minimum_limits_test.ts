/** The kernels and networks on the smallest device that WebGPU allows: default limits and no subgroups. */
import { assert, assertEquals } from "@std/assert";
import { Gpu } from "../../../engine/gpu.ts";
import { Plan } from "../../../engine/plan.ts";
import { readTensor, writeTensor } from "../../../engine/tensor.ts";
import { architecture } from "../../../model/architectures/registry.ts";
import { Network } from "../../../model/network.ts";
import { normalisedError } from "../../../engine/verify/case.ts";
import { ALL_CASES } from "../../../model/cases.ts";
import { rowText } from "../../../engine/verify/report.ts";
import { alterLaunches } from "../../alter_launch.ts";
import { runCases } from "../../../engine/verify/run.ts";
import { normals } from "../../../engine/verify/sample.ts";

/** WebGPU's limits where nothing else is asked for, from its specification, section 3.6.2. */
const MINIMUM = {
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeWorkgroupsPerDimension: 65_535,
} as const;

/** Products compile slowly without subgroups, so a few stand for all. */
const FEW: Readonly<Record<string, number>> = { conv2d: 4, linear: 2 };

/** Whole training steps with the smallest network; the larger ones take their products' paths too. */
const FEW_NETWORKS = /^compact at .*(every gradient|two steps twice)/;

function requestMinimum(): Promise<Gpu> {
  return Gpu.request({ minimumLimits: true, noSubgroups: true });
}

Deno.test("a device with minimum limits really has them, and its kernels use no subgroups", async () => {
  using gpu = await requestMinimum();
  for (const [name, value] of Object.entries(MINIMUM)) {
    assertEquals(gpu.limits[name as keyof typeof MINIMUM], value, name);
  }
  assertEquals(gpu.subgroupSize, 0);
});

Deno.test("every operation is right with minimum limits and without subgroups", async (t) => {
  using gpu = await Gpu.request({ minimumLimits: true, noSubgroups: true });
  alterLaunches(gpu, (launch) => {
    assert(!/\bsubgroup[A-Z_]/.test(launch.wgsl), `${launch.name} uses subgroups`);
    return launch;
  });
  const byOperation = Map.groupBy(ALL_CASES, ({ op }) => op);
  assert(byOperation.size > 15);
  for (const [op, all] of byOperation) {
    await t.step(op, async () => {
      const cases = op === "network"
        ? all.filter(({ name }) => FEW_NETWORKS.test(name))
        : all.filter(({ name }) => !/large|workgroup|subgroups/.test(name)).slice(0, FEW[op]);
      const rows = await runCases(gpu, cases);
      const failures = rows.filter(({ passed }) => !passed).map((row) => rowText(row).join("\n"));
      assertEquals(failures, []);
      assert(rows.length > 0);
    });
  }
});

Deno.test("AlexNet answers the same where its largest layer must be split over two bindings", async () => {
  const network = architecture("alexnet", { classes: 10, size: 63 });
  const image = normals(1, [1, 63, 63, 3]).data;
  const logits = async (gpu: Gpu) => {
    using net = new Network(gpu, network);
    net.parameters.initialise(5);
    using plan = new Plan(gpu, "inference");
    const x = net.inputTensor(plan, 1);
    writeTensor(gpu, x, image);
    const { logits } = net.buildForward(plan, x);
    await plan.compile();
    plan.run();
    const parts = net.parameters.get("classifier.1.weight").tensors.length;
    return { values: await readTensor(gpu, logits), parts };
  };
  using small = await requestMinimum();
  const split = await logits(small);
  // 9216 x 4096 weights are 144 MiB.
  assertEquals(split.parts, 2);
  using usual = await Gpu.request();
  const whole = await logits(usual);
  assert(split.values.some((v) => v !== 0));
  assert(normalisedError(split.values, whole.values) < 1e-5);
});
