import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { drawShape } from "../data/shape_drawing.ts";
import { encodeJpeg } from "../data/jpeg_encoder.ts";
import { architecture } from "../model/alexnet.ts";
import { defaultPreprocess } from "../model/card.ts";
import { saveCheckpoint } from "../model/checkpoint.ts";
import { Network } from "../model/network.ts";
import { gpu } from "./gpu.ts";

const ROOT = join(import.meta.dirname!, "..");

Deno.test("the README's library example runs as it stands", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  const example = readme.match(/```ts\n([^`]*loadClassifier[^`]*)```/)?.[1];
  assert(example, "the README has no example with loadClassifier");
  const dir = await Deno.makeTempDir();
  const script = join(ROOT, `.example-${crypto.randomUUID()}.ts`);
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
    await Deno.writeTextFile(script, example!);
    const args = ["run", "-A", script, join(dir, "a.safetensors"), join(dir, "a.jpg")];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => line.split(" "));
    assertEquals(lines.map(([name]) => name), ["cat", "dog"]);
    const sum = lines.reduce((total, [, p]) => total + Number(p), 0);
    assert(Math.abs(sum - 1) < 0.002, `probabilities sum to ${sum}`);
  } finally {
    await Deno.remove(script).catch(() => {});
    await Deno.remove(dir, { recursive: true });
  }
});
