import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { comparisons, ratioToBest, summarise } from "../../bench/peers/comparisons.ts";
import { compare } from "../../bench/peers/compare.ts";
import { prepareOurs } from "../../bench/peers/ours.ts";
import { lines } from "../../bench/peers/protocol.ts";
import { peersDocument, peersTable, verdict } from "../../bench/peers/report.ts";
import {
  channelsLast,
  channelsLastFilter,
  factors,
  images,
  labels,
  networkLayers,
  neutralLayers,
  transposed,
} from "../../bench/peers/workload.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { findPyTorch, PYTHON } from "../../bench/peers/pytorch.ts";
import { gpu } from "../gpu.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const measured = (name: string, milliseconds: number[], answer: number[]) => ({
  name,
  library: `${name} 1.0`,
  adapter: "a",
  milliseconds,
  steps: 1,
  answer,
});

const ROUNDS = [
  measured("ours", [1, 2, 1], [1, 2]),
  measured("tfjs", [10, 12, 10], [1, 2.001]),
  measured("jax-js", [8, 30, 8], [1, 3]),
];

Deno.test("ratios are medians of rounds, and answers must agree to a rounding", () => {
  const found = summarise(ROUNDS);
  assertEquals(found.map(({ ratio }) => ratio), [1, 10, 8]);
  assertEquals(found.map(({ median }) => median), [1, 10, 8]);
  assertEquals(found.map(({ same }) => same), [true, true, false]);
  assertAlmostEquals(found[2]!.difference, 1 / Math.sqrt(5), 1e-12);
  assertEquals(summarise([ROUNDS[0]!, { ...ROUNDS[1]!, answer: [1] }])[1]!.same, false, "lengths differ");
  assertEquals(summarise([ROUNDS[0]!, { ...ROUNDS[1]!, answer: [NaN, 2] }])[1]!.same, false);
});

Deno.test("the best of the peers that count decides", () => {
  const found = summarise(ROUNDS);
  assertEquals(ratioToBest(found, ["tfjs", "jax-js"]), 8);
  assertEquals(ratioToBest(found, ["tfjs"]), 10);
  assertEquals(ratioToBest(found, ["torch"]), undefined);
});

Deno.test("the table and the document show a missed target and a different result", () => {
  const comparison = {
    ...comparisons({ quick: true })[0]!,
    target: { ratio: 9, against: ["tfjs", "jax-js"] },
  };
  const result = { comparison, summaries: summarise(ROUNDS), failures: ["x: no luck"] };
  assertEquals(verdict(result), { ratio: 8, wanted: 9, reached: false });
  const text = peersTable([result]).join("\n");
  for (const part of ["MISSED, wanted 9", "NO, 4.5e-1", "yes, 4e-4", "no luck"]) {
    assert(text.includes(part), part);
  }
  const [line] = peersDocument([result]).comparisons;
  assertEquals([line!.ratio, line!.reached, line!.contenders.length], [8, false, 3]);
  assertEquals(line!.contenders[0]!.perSecond, 32_000);
});

Deno.test("the comparisons are those that are promised", () => {
  const promised = comparisons({ quick: false }).map(({ name, target }) =>
    `${name}: ${target.ratio} over ${target.against}`
  );
  assertEquals(promised, [
    "compact training, batch 32: 15 over tfjs,jax-js",
    "compact training, batch 4: 12 over tfjs,jax-js",
    "1024^3 product: 10 over tfjs,jax-js",
    "compact inference, batch 1: 8 over tfjs,jax-js",
    "alexnet training, batch 8: 10 over tfjs",
  ]);
});

Deno.test("with a batch of the user's own each network is compared once, and who is beside takes part and decides nothing", () => {
  const found = comparisons({ quick: false, batch: 128, beside: ["pytorch"] });
  assertEquals(found.map(({ name }) => name), [
    "compact training, batch 128",
    "1024^3 product",
    "compact inference, batch 1",
    "alexnet training, batch 128",
  ]);
  assert(
    found.every(({ contenders, target }) =>
      contenders.at(-1) === "pytorch" && !target.against.includes("pytorch")
    ),
  );
  assertEquals(found[0]!.perStep, 128);
});

Deno.test("weights and images are rearranged and not changed", () => {
  const shape = { c: 2, h: 1, w: 3 };
  assertEquals([...channelsLast(Float32Array.of(1, 2, 3, 4, 5, 6), 1, shape)], [1, 4, 2, 5, 3, 6]);
  assertEquals([...transposed(Float32Array.of(1, 2, 3, 4, 5, 6), 2, 3)], [1, 4, 2, 5, 3, 6]);
  // [O, I, KH, KW] = [2, 1, 1, 2] to [KH, KW, I, O].
  assertEquals([...channelsLastFilter(Float32Array.of(1, 2, 3, 4), [2, 1, 1, 2])], [1, 3, 2, 4]);
});

Deno.test("all contenders get the same network, input and labels", () => {
  const layers = networkLayers("compact", 61);
  assertEquals(layers.map(({ kind, relu }) => kind + (relu ? " relu" : "")), [
    "conv2d relu",
    "max_pool",
    "conv2d relu",
    "conv2d relu",
    "conv2d relu",
    "flatten",
    "linear",
  ]);
  assertEquals(layers.at(-1)!.weight!.shape, [3, 128]);
  assertEquals(images(1, 4), images(2, 4).slice(0, 48));
  assertEquals([...labels(4, 3)], [0, 1, 2, 0]);
  assertThrows(() => networkLayers("vgg", 61), RangeError);
  const blocks = architecture("resnet18", { classes: 3, size: 64 });
  assertThrows(() => neutralLayers(blocks, () => new Float32Array()), RangeError, "one chain");
});

Deno.test("our product is the product", async () => {
  const { answer } = await prepareOurs(gpu, { kind: "product", size: 64 });
  const [a, b] = factors(64);
  answer.forEach((value, column) => {
    let sum = 0;
    for (let k = 0; k < 64; k++) sum += a[k]! * b[k * 64 + column]!;
    assertAlmostEquals(value, sum, 1e-5);
  });
  assertEquals(answer.length, 64);
});

test("a contender in its own process answers as the same work here does", async () => {
  const task = { kind: "training", model: "compact", batch: 2, size: 61 } as const;
  const comparison = {
    name: "ours alone",
    task,
    contenders: ["ours"],
    target: { ratio: 1, against: [] },
    perStep: 2,
  };
  const told: string[] = [];
  const result = await compare(comparison, { rounds: 2, milliseconds: 1 }, (text) => told.push(text));
  assertEquals(result.failures, []);
  const [ours] = result.summaries;
  assert(ours!.milliseconds.length === 2 && ours!.milliseconds.every((ms) => ms > 0));
  assert(ours!.same && ours!.library === "alexnet-webgpu");
  assertEquals(told.length, 3);
  const { answer, run } = await prepareOurs(gpu, task);
  assert(answer.length === 2 && answer.every((loss) => loss > 0));
  await run(2);
});

const mayRun = (await Deno.permissions.query({ name: "run" })).state === "granted";
const pytorch = mayRun ? await findPyTorch() : undefined;

test({
  name: "PyTorch computes the same losses, logits and products, where a Python has it",
  ignore: pytorch === undefined,
  fn: async () => {
    Deno.env.set(PYTHON, pytorch!.python);
    const training = { kind: "training", model: "compact", batch: 2, size: 61 } as const;
    for (
      const task of [
        training,
        { ...training, kind: "inference" } as const,
        {
          kind: "product",
          size: 64,
        } as const,
      ]
    ) {
      const comparison = {
        name: task.kind,
        task,
        contenders: ["ours", "pytorch"],
        target: { ratio: 1, against: [] },
        perStep: 1,
      };
      const { failures, summaries } = await compare(comparison, { rounds: 1, milliseconds: 1 }, () => {});
      assertEquals(failures, []);
      const theirs = summaries[1]!;
      // Float32 sums in another order.
      assert(theirs.difference < 1e-5, `${task.kind}: ${theirs.difference}`);
      assert(theirs.library.startsWith("PyTorch "), theirs.library);
    }
  },
});

test("a contender that cannot do the work is told, and leaves nothing running", async () => {
  const task = { kind: "training", model: "vgg", batch: 2, size: 61 } as const;
  const comparison = {
    name: "no such",
    task,
    contenders: ["ours"],
    target: { ratio: 1, against: [] },
    perStep: 2,
  };
  const { failures, summaries } = await compare(comparison, { rounds: 1, milliseconds: 1 }, () => {});
  assertEquals(summaries, []);
  assert(failures[0]!.includes("Cannot compare vgg"), failures[0]);
});

Deno.test("a stream's lines arrive whole, however it is cut", async () => {
  const parts = ['{"a"', ':1}\n{"b":2}\n', "{", '"c":3}'].map((text) => new TextEncoder().encode(text));
  const found: string[] = [];
  for await (const line of lines(ReadableStream.from(parts))) found.push(line);
  assertEquals(found, ['{"a":1}', '{"b":2}', '{"c":3}']);
});

/** Has a contender compute for minutes, says so, and waits for it. */
const DRIVER = `
  import { Child, CONTENDERS } from "./bench/peers/compare.ts";
  const child = new Child(CONTENDERS[0]);
  await child.ask({ ask: "prepare", task: { kind: "training", model: "compact", batch: 2, size: 61 } });
  console.log("busy");
  await child.ask({ ask: "run", steps: 1e6 });
`;

/** On Windows no signal reaches a process's listeners from outside. */
const ENDINGS: readonly (readonly [Deno.Signal, number])[] = Deno.build.os === "windows"
  ? []
  : [["SIGINT", 130], ["SIGTERM", 143], ["SIGKILL", 137]];

for (const [signal, code] of ENDINGS) {
  test(`a contender ends with the bench that a ${signal} ends, in the middle of its work`, async () => {
    const driver = new Deno.Command(Deno.execPath(), {
      args: ["eval", DRIVER],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    for await (const line of lines(driver.stdout)) {
      assertEquals(line, "busy");
      break;
    }
    driver.kill(signal);
    assertEquals((await driver.status).code, code);
    // The contender inherits standard error, which so stays open as long as it runs; it would for minutes.
    const late = new AbortController(),
      timer = setTimeout(() => late.abort(new Error("it still runs")), 30_000);
    await driver.stderr.pipeTo(new WritableStream(), { signal: late.signal }).finally(() =>
      clearTimeout(timer)
    );
  });
}
