/** The examples, from another folder and as somebody else's project would use this one. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { ensureShapes } from "../data/shapes/shapes.ts";
import { testNeeding } from "./permissions.ts";

const ROOT = new URL("../", import.meta.url);
const test = testNeeding("all");

const textOf = (path: string) => Deno.readTextFile(new URL(path, ROOT));

/** The blocks of code in a language that a document has. */
function blocksOf(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``, "g"))].map(([, block]) => block!);
}

/** A new project outside of this one, configured as a document says, with this one where the document has it. */
async function inProject(
  document: string,
  files: Readonly<Record<string, string>>,
  work: (run: (...args: string[]) => Promise<string>, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const [config] = blocksOf(await textOf(document), "json");
    assert(config, `${document} has no configuration`);
    await Deno.symlink(new URL(".", ROOT), join(folder, "alexnet-webgpu"));
    const project = join(folder, "mine");
    await Deno.mkdir(project);
    await Deno.writeTextFile(join(project, "deno.json"), config);
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(project, name), text);
    await work(async (...args) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--check", ...args],
        cwd: project,
        env: { NO_COLOR: "1" },
      }).output();
      const decoder = new TextDecoder();
      assertEquals(code, 0, decoder.decode(stderr));
      return decoder.decode(stdout);
    }, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

test("a layer and a network outside the repository train on top of the exported ops", async () => {
  const files = {
    "blur_pool.ts": await textOf("examples/blur_pool/blur_pool.ts"),
    "main.ts": await textOf("examples/blur_pool/main.ts"),
  };
  await inProject("examples/blur_pool/README.md", files, async (run) => {
    assertMatch(
      await run("main.ts"),
      /d conv\.weight: normalised error [\d.]+e-[678]\n[^]*loss [\d.]+ -> 0\.\d+ on /,
    );
  });
});

const NAME = "@alexnet-webgpu/alexnet-webgpu";

test("the program of docs/library.md runs in another project that imports this one by name", async () => {
  const program = blocksOf(await textOf("docs/library.md"), "ts")[1]!;
  assert(program.includes(`from "${NAME}"; // or "../alexnet-webgpu/mod.ts"`), program);
  await inProject("docs/library.md", { "infer.ts": program }, async (run) => {
    assertMatch(await run("infer.ts"), /^cat -?\d[^ ]*\ndog -?\d[^ ]*\nbird -?\d[^ ]*\n$/);
  });
});

test("the training loop of docs/library.md runs in another project that imports this one by path", async () => {
  const loop = blocksOf(await textOf("docs/library.md"), "ts")[0]!;
  assert(loop.includes('from "./mod.ts"'), loop);
  const files = { "loop.ts": loop.replace("./mod.ts", "../alexnet-webgpu/mod.ts") };
  await inProject("docs/library.md", files, async (run, folder) => {
    const counts = { train: 80, valid: 4, test: 4 };
    const photos = await ensureShapes(join(folder, "shapes"), { seed: 1, counts });
    // Photos are decoded in processes that find their own modules.
    const losses = (await run("loop.ts", photos)).trim().split("\n").map((line) =>
      Number(line.split(" ")[1])
    );
    assertEquals(losses.length, 5);
    assert(losses[4]! < losses[0]!, `the losses are ${losses}`);
  });
});
