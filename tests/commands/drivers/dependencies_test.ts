import { assertEquals, assertRejects } from "@std/assert";
import {
  DependencyError,
  missingPackages,
  type Package,
  type PackageSource,
  parseDepends,
} from "../../../commands/drivers/dependencies.ts";

const item = (name: string, version: string, depends = "", provides = ""): Package => ({
  name,
  version,
  depends,
  provides,
});

/** Versions are whole numbers. */
function source(installed: readonly Package[], offered: readonly Package[]): PackageSource {
  const holds: Record<string, (a: number, b: number) => boolean> = {
    "<<": (a, b) => a < b,
    "<=": (a, b) => a <= b,
    "=": (a, b) => a === b,
    ">=": (a, b) => a >= b,
    ">>": (a, b) => a > b,
  };
  return {
    installed: (name) =>
      installed.filter((have) => have.name === name || have.provides.split(", ").includes(name)),
    offered: (name) => Promise.resolve(offered.filter((have) => have.name === name)),
    compare: (a, operator, b) => Promise.resolve(holds[operator]!(Number(a), Number(b))),
  };
}

async function names(root: Package, from: PackageSource): Promise<string[]> {
  return (await missingPackages(root, from)).map(({ name, version }) => `${name} ${version}`);
}

Deno.test("a Depends field is read with its versions, alternatives and architectures", () => {
  assertEquals(parseDepends("libdrm2 (>= 2.4.121), a | b:any (<< 1:3-1~x), libllvm15"), [
    [{ name: "libdrm2", relation: [">=", "2.4.121"] }],
    [{ name: "a" }, { name: "b", relation: ["<<", "1:3-1~x"] }],
    [{ name: "libllvm15" }],
  ]);
  assertEquals(parseDepends(""), []);
});

Deno.test("only what the system lacks or has too old is taken, and what that needs in turn", async () => {
  const from = source(
    [item("drm", "114"), item("llvm", "15"), item("zlib", "1", "", "z")],
    [item("drm", "123", "common (>= 123)"), item("common", "124"), item("common", "123"), item("llvm", "16")],
  );
  assertEquals(await names(item("mesa", "25", "llvm, drm (>= 121), z"), from), [
    "mesa 25",
    "drm 123",
    "common 124",
  ]);
});

Deno.test("one installed alternative is enough, and a cycle ends", async () => {
  const from = source([item("b", "2")], [item("c", "1", "mesa (= 25), c")]);
  assertEquals(await names(item("mesa", "25", "a (>= 3) | b (>= 2), c"), from), ["mesa 25", "c 1"]);
});

Deno.test("what nobody has is named, and so is a C library that would have to be exchanged", async () => {
  const from = source([item("libc6", "36")], [item("libc6", "40")]);
  await assertRejects(
    () => missingPackages(item("mesa", "25", "libllvm19 | libllvm18"), from),
    DependencyError,
    "mesa 25 needs libllvm19 or libllvm18",
  );
  await assertRejects(
    () => missingPackages(item("mesa", "25", "libc6 (>= 38)"), from),
    DependencyError,
    "mesa 25 needs libc6 (>= 38)",
  );
});
