import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { Gpu } from "../../engine/gpu.ts";
import { kernelFingerprint, parseTileFile, requestTunedGpu } from "../../model/tuned_gpu.ts";
import { productKey, tilesOf } from "../../engine/kernels/matmul/tiles.ts";
import { conv2d } from "../../model/layers/conv2d.ts";
import { flatten } from "../../model/layers/flatten.ts";
import { linear } from "../../model/layers/linear.ts";
import type { Architecture } from "../../model/network.ts";
import { prepare, Workload } from "../../commands/tuning/products.ts";
import { alterLaunches } from "../alter_launch.ts";
import { keepWinners } from "../../commands/tuning/tile_file.ts";
import { sameResults, tune } from "../../commands/tuning/search.ts";
import { gpu } from "../gpu.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

/** A network of two products, of which the first needs no gradient of its input. */
const tiny: Architecture = {
  name: "tiny",
  input: { c: 5, h: 9, w: 7 },
  layers: [
    { name: "conv", layer: conv2d({ in: 5, out: 7, kernel: 3, stride: 2 }) },
    { name: "flatten", layer: flatten() },
    { name: "linear", layer: linear({ in: 84, out: 3 }) },
  ],
};
const open = (device: Gpu, training = true, architecture = tiny, batch = 2) =>
  Workload.create(device, architecture, { batch, training });
const quick = { clock: "timestamp", maxSeconds: 600 } as const;

Deno.test("the products of a model are those that its ops record, each once, with the layer's name", async () => {
  using workload = await open(gpu);
  assertEquals(workload.products.map(({ layer, shape }) => `${layer} ${productKey(shape)}`), [
    "conv forward 24x7x72",
    "linear forward 2x3x96",
    "linear weight_grad 96x3x2",
    "linear input_grad 2x96x3",
    "conv weight_grad 72x7x24",
  ]);
  using inference = await open(gpu, false);
  assertEquals(inference.products.map(({ shape }) => shape.op), ["forward", "forward"]);
});

Deno.test("a search measures every product, and its winners compute what the built-in tiles compute", async () => {
  const seen: string[] = [];
  using workload = await open(gpu);
  const { products } = workload;
  const { outcomes, complete } = await tune(gpu, products, {
    ...quick,
    onProduct: ({ key }, done) => {
      seen.push(key);
      assertEquals(done, seen.length);
    },
  });
  assert(complete);
  assertEquals(seen, outcomes.map(({ key }) => key));
  assertEquals(seen.toSorted(), products.map(({ shape }) => productKey(shape)).sort());
  assert(outcomes.every(({ measured }) => measured > 5));
  for (const { key, builtIn, winner, wrong, refused, milliseconds, builtInMilliseconds } of outcomes) {
    assertEquals([wrong.length, refused], [0, 0], key);
    assert(milliseconds <= builtInMilliseconds);
    const product = products.find(({ shape }) => productKey(shape) === key)!;
    using one = await prepare(gpu, product, builtIn), other = await prepare(gpu, product, winner);
    assert(sameResults(await other.results(), await one.results()), key);
  }
});

Deno.test("a tile that computes something else never wins", async () => {
  using broken = await Gpu.request();
  using workload = await open(broken, false, {
    ...tiny,
    layers: tiny.layers.slice(0, 1),
    input: { c: 5, h: 29, w: 27 },
  }, 8);
  const builtIn4 = workload.products[0]!.choice.tile;
  // Breaks every tile of another height than the built-in one's.
  alterLaunches(
    broken,
    (launch) =>
      launch.name === "conv2d_forward.main" && launch.wgsl.includes("var c3_0 ") !== (builtIn4.tm > 3)
        ? { ...launch, wgsl: launch.wgsl.replace("let value = sum + bias[col];", "let value = bias[col];") }
        : launch,
  );
  const { outcomes } = await tune(broken, workload.products, quick);
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
  using workload = await open(gpu);
  const { outcomes, complete } = await tune(gpu, workload.products, { ...quick, maxSeconds: 0 });
  assertEquals([outcomes.length, complete], [0, false]);
});

Deno.test("a search that is stopped keeps what it has measured until then", async () => {
  using workload = await open(gpu);
  const stop = new AbortController();
  const { outcomes, complete } = await tune(gpu, workload.products, {
    ...quick,
    signal: stop.signal,
    onProduct: () => stop.abort(),
  });
  assertEquals([outcomes.length, complete], [5, false]);
});

test("winners are kept beside those of other adapters and other models, and loaded again", async () => {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "deep", "tiles.json");
  try {
    using workload = await open(gpu);
    const { outcomes } = await tune(gpu, workload.products, quick);
    const notes: string[] = [];
    await keepWinners(gpu, path, [], (note) => notes.push(note));
    assertEquals(await Deno.stat(path).catch(() => undefined), undefined);
    const first = await keepWinners(gpu, path, outcomes.slice(0, 1), (note) => notes.push(note));
    const stranger = {
      name: "Voodoo 2",
      vendor: "3dfx",
      device: "2",
      subgroupSize: 0,
      runtime: "Deno 9",
      driver: "Glide 2",
      processor: "",
    };
    const file = JSON.parse(await Deno.readTextFile(path));
    file.tables.push({ ...file.tables[0], adapter: stranger });
    await Deno.writeTextFile(path, JSON.stringify(file));
    const second = await keepWinners(gpu, path, outcomes.slice(1), (note) => notes.push(note));
    assertEquals([first.choices.size, second.choices.size, notes.length], [1, 5, 0]);
    const parsed = parseTileFile(await Deno.readTextFile(path));
    if (!("tables" in parsed)) throw new Error(parsed.problem);
    assertEquals(parsed.tables.map(({ adapter }) => adapter.name).sort(), [stranger.name, gpu.name].sort());
    assertEquals(parsed.tables[0]!.kernels, kernelFingerprint());
    using tuned = await requestTunedGpu({ file: path, onNote: (note) => notes.push(note) });
    assertEquals([tilesOf(tuned)?.id, notes], [second.id, []]);

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
