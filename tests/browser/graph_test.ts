/** What a page loads must be of the web alone. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { testNeeding } from "../permissions.ts";

interface Graph {
  readonly roots: readonly string[];
  readonly redirects: Readonly<Record<string, string>>;
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
  }[];
}

/** Everything that runs when a module is imported; imports of types alone do not. */
async function reachable(module: string): Promise<string[]> {
  const args = ["info", "--json", fromFileUrl(new URL(`../../${module}`, import.meta.url))];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { roots, modules, redirects }: Graph = JSON.parse(new TextDecoder().decode(stdout));
  const known = new Map(modules.map((each) => [each.specifier, each]));
  const found = new Set<string>(), open = [...roots];
  for (let specifier = open.pop(); specifier !== undefined; specifier = open.pop()) {
    if (found.has(specifier)) continue;
    found.add(specifier);
    for (const { code } of known.get(redirects[specifier] ?? specifier)?.dependencies ?? []) {
      if (code?.specifier !== undefined) open.push(code.specifier);
    }
  }
  return [...found];
}

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");

testNeeding("run", "read")(
  "nothing that ./browser runs reaches for Deno, Node or another package than zod",
  async () => {
    const found = await reachable("browser/mod.ts");
    const files = found.filter((specifier) => specifier.startsWith("file:") && specifier.endsWith(".ts"));
    assert(files.some((file) => file.endsWith("/training/step/trainer.ts")), "the trainer is not in it");
    const foreign = found.filter((specifier) => !specifier.startsWith("file:"));
    assertEquals(foreign.map((specifier) => specifier.replace(/^npm:\/?|@[\d.]+$/g, "")), ["zod"]);
    const users = files.filter((file) =>
      /\bDeno\b|\bprocess\.|\bBuffer\b/.test(withoutComments(Deno.readTextFileSync(fromFileUrl(file))))
    );
    assertEquals(users, []);
  },
);

testNeeding("run", "read")("the walk finds what it looks for", async () => {
  const found = await reachable("model/mod.ts");
  assert(found.some((specifier) => specifier.startsWith("node:")));
  assert(found.some((specifier) => specifier.endsWith("/engine/driver.ts")));
});
