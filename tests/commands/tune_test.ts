import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { Gpu } from "../../engine/gpu.ts";
import { kernelFingerprint, parseTileFile, requestTunedGpu } from "../../engine/kernels/matmul/tile_cache.ts";
import { Plan } from "../../engine/plan.ts";
import { productKey, type ProductShape, TileTable } from "../../engine/kernels/matmul/tiles.ts";
import { architecture } from "../../model/architectures/alexnet.ts";
import { Network } from "../../model/network.ts";
import { ProductBench } from "../../commands/tuning/product_bench.ts";
import { type Convolution, convolutionShape, convolutionsOf } from "../../commands/tuning/products.ts";
import { keepWinners } from "../../commands/tuning/tile_file.ts";
import { sameResults, tune } from "../../commands/tuning/search.ts";
import { gpu } from "../gpu.ts";

const tiny: Convolution = {
  layer: "tiny",
  x: [2, 9, 7, 5],
  weight: [3, 3, 8, 7],
  y: [2, 4, 3, 7],
  stride: 2,
  padding: 0,
  groups: 1,
  ops: ["forward", "weight_grad", "input_grad"],
};
const quick = { clock: "timestamp", quick: true, maxSeconds: 60 } as const;

/** Records what a plan asks for. */
class Recorder extends TileTable {
  readonly asked = new Set<string>();
  override get(shape: ProductShape) {
    this.asked.add(productKey(shape));
    return undefined;
  }
}

for (const [model, size] of [["compact", 93], ["alexnet", 95], ["alexnet-2012", 95]] as const) {
  Deno.test(`the products of ${model} are those that its training plan asks for`, async () => {
    const network = architecture(model, { classes: 10, size });
    using device = await Gpu.request();
    const recorder = device.tiles = new Recorder(new Map());
    using net = new Network(device, network);
    using plan = new Plan(device, "training");
    const x = net.inputTensor(plan, 2), random = plan.tensor([4]);
    const gradients = net.parameters.like("gradient");
    net.buildTraining(plan, x, (logits) => logits, { gradients, random });
    const maxPartBytes = device.limits.maxStorageBufferBindingSize;
    const found = convolutionsOf(network, 2, { maxPartBytes, training: true })
      .flatMap((c) => c.ops.map((op) => productKey(convolutionShape(c, op))));
    assertEquals([...new Set(found)].sort(), [...recorder.asked].sort());
    const forward = convolutionsOf(network, 2, { maxPartBytes, training: false });
    assert(forward.every(({ ops }) => `${ops}` === "forward"));
  });
}

Deno.test("a search measures every product, and its winners compute what the built-in tiles compute", async () => {
  const seen: string[] = [];
  let planned = 0;
  const { outcomes, complete } = await tune(gpu, [tiny], {
    ...quick,
    onPlan: ({ products, candidates, seconds }) => {
      planned = products;
      assert(candidates > products && seconds > 0);
    },
    onProduct: ({ key }) => seen.push(key),
  });
  assert(complete);
  assertEquals(planned, 3);
  assertEquals(seen, outcomes.map(({ key }) => key));
  assertEquals(seen, tiny.ops.map((op) => productKey(convolutionShape(tiny, op))));
  using bench = new ProductBench(gpu, tiny);
  for (const { key, builtIn, winner, wrong, refused, milliseconds, builtInMilliseconds } of outcomes) {
    assertEquals([wrong.length, refused], [0, 0], key);
    assert(milliseconds <= builtInMilliseconds);
    const op = key.split(" ")[0] as ProductShape["op"];
    using one = await bench.prepare(op, builtIn), other = await bench.prepare(op, winner);
    assert(sameResults(await other.results(), await one.results()), key);
  }
});

Deno.test("a tile that computes something else never wins", async () => {
  // Breaks every tile but the built-in ones: their last row of work is left out.
  using broken = await Gpu.request({
    alterLaunch: (launch) =>
      launch.name !== "conv2d_forward.main" || launch.wgsl.includes("var c3_0 ") === (gpu.subgroupSize > 0)
        ? launch
        : { ...launch, wgsl: launch.wgsl.replace("let value = sum + bias[col];", "let value = bias[col];") },
  });
  const { outcomes } = await tune(broken, [{
    ...tiny,
    x: [8, 29, 27, 5],
    y: [8, 14, 13, 7],
    ops: ["forward"],
  }], quick);
  const [{ wrong, winner, builtIn }] = outcomes as [typeof outcomes[0]];
  assert(wrong.length > 0);
  assert(!wrong.some((choice) => choice === winner || choice === builtIn));
});

Deno.test("results with a NaN or another value are not the same", () => {
  const wanted = [Float32Array.of(1, 2, 3)];
  assert(sameResults([Float32Array.of(1, 2, 3.000001)], wanted));
  assert(!sameResults([Float32Array.of(1, 2, 3.001)], wanted));
  assert(!sameResults([Float32Array.of(1, NaN, 3)], wanted));
});

Deno.test("a search without time changes nothing and says that it is incomplete", async () => {
  const { outcomes, complete } = await tune(gpu, [tiny], { ...quick, maxSeconds: 0 });
  assertEquals([outcomes.length, complete], [0, false]);
});

Deno.test("winners are kept beside those of other adapters and other models, and loaded again", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "deep", "tiles.json");
  try {
    const { outcomes } = await tune(gpu, [tiny], quick);
    const notes: string[] = [];
    const first = await keepWinners(gpu, path, outcomes.slice(0, 1), (note) => notes.push(note));
    const stranger = { name: "Voodoo 2", vendor: "3dfx", device: "2", subgroupSize: 0, runtime: "Deno 9" };
    const file = JSON.parse(await Deno.readTextFile(path));
    file.tables.push({ ...file.tables[0], adapter: stranger });
    await Deno.writeTextFile(path, JSON.stringify(file));
    const second = await keepWinners(gpu, path, outcomes.slice(1), (note) => notes.push(note));
    assertEquals([first.choices.size, second.choices.size, notes.length], [1, 3, 0]);
    const parsed = parseTileFile(await Deno.readTextFile(path));
    if (!("tables" in parsed)) throw new Error(parsed.problem);
    assertEquals(parsed.tables.map(({ adapter }) => adapter.name).sort(), [stranger.name, gpu.name].sort());
    assertEquals(parsed.tables[0]!.kernels, kernelFingerprint());
    using tuned = await requestTunedGpu({ file: path, onNote: (note) => notes.push(note) });
    assertEquals([tuned.tiles?.id, notes], [second.id, []]);

    await Deno.writeTextFile(path, "{");
    await keepWinners(gpu, path, outcomes, (note) => notes.push(note));
    assertEquals(notes, [`Replacing ${path}: it is not JSON`]);
    await assertRejects(
      () => keepWinners(gpu, join(folder, "deep", "tiles.json", "x.json"), outcomes, () => {}),
      Error,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
