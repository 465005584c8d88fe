/** The doctor must notice a kernel that is wrong: each test breaks one line of one kernel. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Gpu } from "../../engine/gpu.ts";
import type { Launch } from "../../engine/kernel.ts";
import { alterLaunches } from "../alter_launch.ts";
import { ALL_CASES } from "../../model/cases.ts";
import { examine, exitCodeOf } from "../../commands/doctor_report.ts";
import { rowText, summaryText } from "../../engine/verify/report.ts";

interface Fault {
  readonly op: string;
  readonly what: string;
  /** Start of the launch's name. */
  readonly launch: string;
  readonly from: string;
  readonly to: string;
  /** Which of the operation's cases to run; default all small ones. */
  readonly cases?: RegExp;
}

const FAULTS: readonly Fault[] = [
  {
    op: "conv2d",
    what: "sums of parts that are off by 5e-5",
    launch: "sum_splits",
    from: "total += parts",
    to: "total += 1.00005 * parts",
  },
  {
    op: "conv2d",
    what: "an input gradient that forgets the last column of taps",
    launch: "conv2d_input_grad",
    from: "s.tw + 1u) * TAP_STEP_W >= KW",
    to: "s.tw + 1u) * TAP_STEP_W >= max(KW, 2u) - 1u",
  },
  {
    op: "add",
    what: "a ReLU after a sum that is forgotten",
    launch: "add.forward",
    from: "max(value, vec4f())",
    to: "value",
  },
  {
    op: "relu",
    what: "a gradient that leaks below zero",
    launch: "relu.backward",
    from: "select(vec4f(), dy[i],",
    to: "select(0.01 * dy[i], dy[i],",
  },
  {
    op: "max_pool",
    what: "a tie that goes to the last maximum",
    launch: "max_pool.forward_training",
    from: "value > best.value",
    to: "value >= best.value",
  },
  {
    op: "adaptive_avg_pool",
    what: "a window one row short",
    launch: "adaptive_avg_pool",
    from: "(i + 1u) * from_size + to_size - 1u",
    to: "(i + 1u) * from_size",
  },
  {
    op: "local_response_norm",
    what: "a gradient without its factor of two",
    launch: "local_response_norm.backward",
    from: "2.0 * SCALE",
    to: "SCALE",
  },
  {
    op: "batch_norm",
    what: "a running variance that is biased",
    launch: "batch_norm.merge_statistics",
    from: "f32(ROWS - 1u)",
    to: "f32(ROWS)",
  },
  {
    op: "batch_norm",
    what: "padding that is not zero",
    launch: "batch_norm.normalise",
    from: "* scale + shift;",
    to: "* scale + shift + 1e-9;",
  },
  {
    op: "dropout",
    what: "a mask of another hash",
    launch: "dropout",
    from: "0x846ca68bu",
    to: "0x846ca68du",
  },
  {
    op: "softmax_cross_entropy",
    what: "a softmax that overflows",
    launch: "softmax_cross_entropy",
    from: "exp(logits[row * PITCH + c] - top.x)",
    to: "exp(logits[row * PITCH + c])",
  },
  { op: "sgd", what: "no weight decay", launch: "sgd", from: "+ DECAY * p", to: "" },
  {
    op: "adam",
    what: "no correction of the bias",
    launch: "adam",
    from: "own_step() * LOG_BETA1",
    to: "1e9 * LOG_BETA1",
  },
  {
    op: "global_norm",
    what: "a share left out",
    launch: "global_norm.clip",
    from: "var sum = 0.0;",
    to: "var sum = 0.01;",
  },
  {
    op: "check_finite",
    what: "infinities overlooked",
    launch: "check_finite",
    from: "== vec4u(0x7f800000u)",
    to: "== vec4u(0x7fc00000u)",
  },
  {
    op: "network",
    what: "a weight gradient off by a ten-thousandth",
    launch: "conv2d_weight_grad",
    from: "var value = sum;",
    to: "var value = sum * 1.0001;",
    cases: /^compact at .* every gradient/,
  },
];

/** Replaces text in the kernels whose launches are meant; counts how often. */
function breaking({ launch, from, to }: Fault): { alter(launch: Launch): Launch; readonly broken: number } {
  let broken = 0;
  return {
    alter(asked) {
      if (!asked.name.startsWith(launch) || !asked.wgsl.includes(from)) return asked;
      broken++;
      return { ...asked, wgsl: asked.wgsl.replaceAll(from, to) };
    },
    get broken() {
      return broken;
    },
  };
}

for (const fault of FAULTS) {
  Deno.test(`doctor notices ${fault.what} (${fault.op})`, async () => {
    const fix = breaking(fault);
    using gpu = await Gpu.request();
    alterLaunches(gpu, fix.alter);
    const cases = ALL_CASES.filter(({ op, name }) =>
      op === fault.op && !/large|workgroup/.test(name) && (fault.cases?.test(name) ?? true)
    );
    const examination = await examine(gpu, cases);
    assert(fix.broken > 0, "no kernel has that line any more");
    assertEquals(exitCodeOf(examination), 1);
    const failures = examination.rows.filter(({ passed }) => !passed);
    assert(failures.every(({ failure }) => failure === undefined), "the kernel did not compile");
    assert(rowText(failures[0]!).length > 1, "the table does not say what failed");
  });
}

Deno.test("doctor reports a kernel that does not compile by its launch and goes on", async () => {
  using gpu = await Gpu.request();
  alterLaunches(
    gpu,
    (launch) => launch.name === "relu.backward" ? { ...launch, wgsl: `${launch.wgsl}\nnonsense` } : launch,
  );
  const cases = ALL_CASES.filter(({ op, name }) =>
    (op === "relu" && !name.includes("large")) || op === "ema"
  );
  const examination = await examine(gpu, cases);
  const relu = examination.rows.filter(({ op }) => op === "relu");
  assert(relu.every(({ passed }) => !passed));
  assertStringIncludes(relu[0]!.failure ?? "", "relu.backward");
  assert(examination.rows.filter(({ op }) => op === "ema").every(({ passed }) => passed));
  assertStringIncludes(rowText(relu[0]!).join("\n"), "relu.backward");
  assertStringIncludes(summaryText(examination), `${relu.length} failed`);
});

Deno.test("an examination of nothing is not a success", async () => {
  using gpu = await Gpu.request();
  assertEquals(exitCodeOf(await examine(gpu, [])), 1);
});

Deno.test("no two cases have the same name", () => {
  const names = ALL_CASES.map(({ op, name }) => `${op} ${name}`);
  assertEquals(new Set(names).size, names.length);
});
