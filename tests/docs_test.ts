/**
 * Documents name files: every path in them must exist, so that nothing that was moved or renamed is still sent for.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { testNeeding } from "./permissions.ts";

const test = testNeeding("read");
const ROOT = join(import.meta.dirname!, "..");

/** Folders that hold no files of the project. */
const FOREIGN = new Set([".git", ".cache", ".gpu", "node_modules", "runs"]);

/** Files and folders of the project, relative to its root; folders end in a slash. */
function list(folder = ""): string[] {
  return [...Deno.readDirSync(join(ROOT, folder))].flatMap(({ name, isDirectory }) => {
    const path = `${folder}${name}`;
    if (!isDirectory) return [path];
    return FOREIGN.has(name) ? [] : [`${path}/`, ...list(`${path}/`)];
  });
}

/** What looks like a path and is none of the project: files of users' own, what commands write, and other names. */
const OTHERS = [
  /^(\.\.\/shared|runs|photos|\.cache|\/)/, // beside the project, written by it, or an absolute path or a route
  /^(config\.json|events\.jsonl|log\.csv|results\.csv|label_issues\.json|report\.html|(last|best)(\.state)?\.safetensors|SPLIT\.tsv)$/, // a run's files, a data set's table
  /^(site|alexnet\.js|photo\.jpg|\d+\.jpg|mine\.onnx|dog\.safetensors|iter_395000\.model|loop\.ts)$/, // files of the examples
  /^(op\.(ts|wgsl)|TensorFlow\.js)$/, // any op's files; a name
];

/** File endings that make a word without a slash a path. */
const ENDINGS = /\.(cfg|conf|css|html|js|json|lock|md|py|sh|svg|ts|wgsl|yaml|yml)$/;

/** Words of code, inline or fenced, that look like paths of the project. */
function pathsIn(text: string, tops: ReadonlySet<string>): string[] {
  const code = [...text.matchAll(/```[^\n]*\n([\s\S]*?)```|`([^`]+)`/g)].map(([, block, span]) =>
    block ?? span!
  );
  const words = code.flatMap((part) => part.match(/[\w.@*/{},-]+/g) ?? []);
  return words.map((word) => word.replace(/^(\.\/|\.\.\/alexnet-webgpu\/)|[.,]+$/g, "")).filter((word) => {
    if (OTHERS.some((pattern) => pattern.test(word)) || word.includes("@") || /^\.\w+$/.test(word)) {
      return false;
    }
    const [top, ...rest] = word.split("/");
    return (rest.length > 0 && (tops.has(top!) || word.endsWith("/"))) || ENDINGS.test(word);
  }).map((word) => word.replace(/(^|\/)(x|x_test)([./].*|$)/, "$1")) // x stands for the newcomer's own name
    .filter((word) => word !== "");
}

/** `a/{b,c}.ts` names two files. */
function spelled(path: string): string[] {
  const choice = /\{([^{}]*)\}/.exec(path);
  if (!choice) return [path];
  return choice[1]!.split(",").flatMap((part) => spelled(path.replace(choice[0], part)));
}

/** Whether the project has the path: from its root, from the document's folder, or, for a bare name, anywhere. */
function exists(path: string, document: string, files: readonly string[]): boolean {
  const escaped = path.replace(/\/$/, "").replace(/[.+?^$()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*");
  const folder = dirname(document) === "." ? "" : `${dirname(document)}/`;
  const where = /\/./.test(path) ? `(${folder})?` : "(.*/)?";
  const pattern = new RegExp(`^${where}${escaped}/?$`);
  return files.some((file) => pattern.test(file));
}

test("every path in every document exists", () => {
  const files = list();
  const tops = new Set(files.filter((file) => /^[^/]+\/$/.test(file)).map((file) => file.slice(0, -1)));
  const missing: string[] = [];
  let seen = 0;
  for (const document of files.filter((file) => file.endsWith(".md"))) {
    const text = Deno.readTextFileSync(join(ROOT, document));
    for (const path of pathsIn(text, tops).flatMap(spelled)) {
      seen++;
      if (!exists(path, document, files)) missing.push(`${document}: ${path}`);
    }
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^\w+:/.test(target!)) continue;
      seen++;
      const path = join(dirname(document), target!).replace(/\/$/, "");
      if (!files.includes(path) && !files.includes(`${path}/`)) missing.push(`${document}: ${target}`);
    }
  }
  assert(seen > 50, `only ${seen} paths were found`);
  assertEquals([...new Set(missing)], []);
});

test("a path that is not there is noticed, whichever way it is written", () => {
  const files = list(), tops = new Set(["engine", "docs"]);
  const text =
    "`engine/gpu.ts` and `engine/gone.ts`, `gone.ts`\n```sh\ndeno run docs/gone.md engine/{plan,gone}.ts gone/x.ts engine/x.ts\n```\n";
  const found = pathsIn(text, tops).flatMap(spelled);
  assertEquals(found.filter((path) => !exists(path, "README.md", files)), [
    "engine/gone.ts",
    "gone.ts",
    "docs/gone.md",
    "engine/gone.ts",
    "gone/",
  ]);
  assert(exists("tile*.ts", "docs/decisions.md", files) && exists("engine/kernels/", "README.md", files));
});
