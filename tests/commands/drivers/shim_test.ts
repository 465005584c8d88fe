import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { shim } from "../../../commands/drivers/shim.ts";
import { testNeeding } from "../../permissions.ts";

testNeeding("all")({
  name: "the library gives another's functions, which it finds in its own folder and nowhere else",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    // A copy of the mathematical library under a name that only this folder has.
    const triplet = `${Deno.build.arch}-linux-gnu`;
    const candidates = [`/lib/${triplet}/libm.so.6`, "/lib64/libm.so.6", "/usr/lib/libm.so.6"];
    const original = candidates.find((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
    if (original === undefined) throw new Error(`there is none of ${candidates.join(", ")}`);
    await Deno.mkdir(join(folder, "lib"));
    await Deno.copyFile(original, join(folder, "lib", "libown.so"));
    const write = (name: string, place: string) =>
      Deno.writeFile(join(folder, name), shim(Deno.build.arch, { library: "libown.so", folder: place }));
    await write("right.so", "$ORIGIN/nowhere:$ORIGIN/lib");
    await write("wrong.so", "$ORIGIN/nowhere");
    assertThrows(() => Deno.dlopen(join(folder, "wrong.so"), {}), Error, "libown.so");
    const library = Deno.dlopen(join(folder, "right.so"), {
      cos: { parameters: ["f64"], result: "f64" },
    });
    assertEquals(library.symbols.cos(0), 1);
    library.close();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("a processor whose number is not known is refused", () => {
  assertThrows(() => shim("riscv64", { library: "a", folder: "b" }), RangeError, "riscv64");
});
