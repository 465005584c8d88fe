import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { ensureShapes } from "../data/shapes/shapes.ts";
import { drawShape, encodeJpeg } from "../data/shapes/shape_drawing.ts";
import { architecture } from "../model/architectures/registry.ts";
import { defaultPreprocess } from "../data/preprocess.ts";
import { saveCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { Network } from "../model/network.ts";
import { gpu } from "./gpu.ts";
import { testNeeding } from "./permissions.ts";

const test = testNeeding("all");
const ROOT = join(import.meta.dirname!, "..");

/** Runs a program from the documentation, with `dir` for its caches; resolves with the words of each line it prints. */
async function runExample(program: string, dir: string, ...rest: string[]): Promise<string[][]> {
  const script = join(ROOT, `.example-${crypto.randomUUID()}.ts`);
  try {
    await Deno.writeTextFile(script, program);
    const args = ["run", "-A", "--check", "--config", join(ROOT, "deno.json"), script, ...rest];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: dir }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.split(" "));
  } finally {
    await Deno.remove(script).catch(() => {});
  }
}

test("the README's library example runs as it stands", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  const example = readme.match(/```ts\n([^`]*loadClassifier[^`]*)```/)?.[1];
  assert(example, "the README has no example with loadClassifier");
  const dir = await Deno.makeTempDir();
  try {
    using network = new Network(gpu, architecture("compact", { classes: 2, size: 64 }));
    network.parameters.initialise(1);
    const values = await network.parameters.read();
    const tensors = new Map(
      network.parameters.all.map((
        { name, spec },
      ) => [name, { shape: [...spec.shape], data: values.get(name)! }]),
    );
    const card = { model: "compact", classes: ["cat", "dog"], preprocess: defaultPreprocess(64) };
    await saveCheckpoint(join(dir, "a.safetensors"), {
      card: { ...card, parameters: network.parameters.count },
      tensors,
    });
    await Deno.writeFile(join(dir, "a.jpg"), await encodeJpeg(drawShape("circle", 1, 1)));
    const lines = await runExample(example!, dir, join(dir, "a.safetensors"), join(dir, "a.jpg"));
    assertEquals(lines.map(([name]) => name), ["cat", "dog"]);
    const sum = lines.reduce((total, [, p]) => total + Number(p), 0);
    assert(Math.abs(sum - 1) < 0.002, `probabilities sum to ${sum}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

test("the training loop in docs/library.md runs as it stands and learns", async () => {
  const example = (await Deno.readTextFile(join(ROOT, "docs/library.md"))).match(/```ts\n([^`]*)```/)?.[1];
  assert(example, "docs/library.md has no example");
  const dir = await Deno.makeTempDir();
  try {
    const data = await ensureShapes(join(dir, "shapes"), {
      seed: 1,
      counts: { train: 80, valid: 4, test: 4 },
    });
    const epochs = await runExample(example!, dir, data);
    assertEquals(epochs.map(([epoch]) => epoch), ["1", "2", "3", "4", "5"]);
    const losses = epochs.map(([, loss]) => Number(loss));
    assert(losses[4]! < losses[0]!, `the losses are ${losses}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
