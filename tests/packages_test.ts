/**
 * Tests with packages that nothing else needs: a browser's driver, onnxruntime, fast-check. Deno fetches every package
 * of a configuration's lock file on the first run, so these have a configuration of their own in `tests/packages/`,
 * and each of its files runs here in a process of its own.
 */
import { assert, assertEquals } from "@std/assert";
import product from "../deno.json" with { type: "json" };
import productLock from "../deno.lock" with { type: "text" };
import packages from "./packages/deno.json" with { type: "json" };
import { testNeeding } from "./permissions.ts";

const test = testNeeding("all");
const FOLDER = new URL("packages/", import.meta.url);

const FILES = [
  "args_property_test.ts",
  "bodies_property_test.ts",
  "browser_test.ts",
  "folders_property_test.ts",
  "foreign_page_test.ts",
  "fuzz_test.ts",
  "implementations_test.ts",
  "infer_refusals_test.ts",
  "infer_test.ts",
  "onnxruntime_test.ts",
  "own_device_test.ts",
  "page_test.ts",
  "report_page_test.ts",
  "safetensors_property_test.ts",
  "static_site_test.ts",
  "train_page_test.ts",
];

/** Files that run at a time: most of them wait for a page or a process, and leave half of two cores idle when they are alone. */
const AT_ONCE = 2;

/** What becomes of each file. */
const results = new Map(FILES.map((file) => [file, Promise.withResolvers<string>()]));
const waiting = [...FILES];

/** Runs the files that wait, one after the other; as often as it is called at a time. */
async function runWaiting(): Promise<void> {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const { promise, resolve, reject } = results.get(file)!;
    // Its own test will say it.
    promise.catch(() => {});
    await run(file).then(resolve, reject);
  }
}

/** The runner's closing line; rejects with everything it printed where a test failed. */
async function run(file: string): Promise<string> {
  const args = ["test", "-A", "--no-prompt", "--config", "deno.json", file];
  const command = new Deno.Command(Deno.execPath(), { args, cwd: FOLDER, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const output = new TextDecoder().decode(stdout);
  const result = output.match(/^(?:ok|FAILED) \|.*$/m)?.[0] ?? "";
  // A software driver may crash while the process ends (signals 6 and 11), after every result is in.
  const passed = result.startsWith("ok") && [0, 134, 139].includes(code);
  assert(passed, `code ${code}\n${output}\n${new TextDecoder().decode(stderr)}`);
  return result;
}

let started = false;

/** A file's result, once its turn has come. */
function resultOf(file: string): Promise<string> {
  if (!started) { for (let n = 0; n < AT_ONCE; n++) runWaiting(); }
  started = true;
  return results.get(file)!.promise;
}

for (const file of FILES) {
  // A file may start in the test of another, and end in a later one.
  test({
    name: `tests/packages/${file} passes`,
    fn: async () => console.log(await resultOf(file)),
    sanitizeOps: false,
    sanitizeResources: false,
  });
}

testNeeding("read")("every test file of tests/packages is run", () => {
  const found = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) =>
    /_test\.ts$/.test(name)
  );
  assertEquals(found.sort(), FILES);
});

Deno.test("packages of the tests' own are in no lock file but theirs", () => {
  const { specifiers } = JSON.parse(productLock) as { specifiers: Record<string, string> };
  const named = (imports: Record<string, string>) =>
    new Set(Object.values(imports).map((url) => url.replace(/^npm:\/?((?:@[^/]+\/)?[^/]+).*$/, "npm:$1")));
  assertEquals(Object.keys(specifiers).sort(), [...named(product.imports)].sort());
  const own = named(packages.imports).difference(named(product.imports));
  assert(own.size > 0);
});

testNeeding("read")("every module that deno.json names is imported somewhere", () => {
  const root = new URL("../", import.meta.url);
  const text = (folder: URL): string =>
    [...Deno.readDirSync(folder)].map(({ name, isDirectory }) => {
      if (isDirectory) return /^(\.|node_modules$|runs$)/.test(name) ? "" : text(new URL(`${name}/`, folder));
      return /\.ts$/.test(name) && name !== "std_types.ts"
        ? Deno.readTextFileSync(new URL(name, folder))
        : "";
    }).join("\n");
  const sources = text(root);
  const unused = Object.keys(product.imports).filter((name) =>
    !new RegExp(`(from|import\\(|resolve\\() *"${name}${name.endsWith("/") ? "" : '["/]'}`).test(sources)
  );
  assertEquals(unused, []);
});

Deno.test("modules of the project mean the same to the tests with packages", () => {
  const { imports, compilerOptions, unstable } = packages;
  const shared = Object.entries(imports).filter(([name]) => name in product.imports);
  assertEquals(Object.fromEntries(shared), { ...product.imports });
  assertEquals([compilerOptions.lib, unstable], [product.compilerOptions.lib, product.unstable]);
});
