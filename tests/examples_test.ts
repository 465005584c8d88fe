/** The examples, from another folder and through an import map, as somebody else's project would use this one. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { testNeeding } from "./permissions.ts";

const ROOT = new URL("../", import.meta.url);

testNeeding("all")(
  "a layer and a network outside the repository train on top of the exported ops",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const file of ["blur_pool.ts", "main.ts"]) {
        await Deno.copyFile(new URL(`examples/blur_pool/${file}`, ROOT), join(folder, file));
      }
      const { name, exports, imports, unstable } = JSON.parse(
        await Deno.readTextFile(new URL("deno.json", ROOT)),
      );
      const own = Object.entries<string>(exports).map(([entry, path]) => [
        `${name}${entry.slice(1)}`,
        new URL(path, ROOT).href,
      ]);
      const others = Object.entries<string>(imports).map(([key, path]) => [
        key,
        path.startsWith(".") ? new URL(path, ROOT).href : path,
      ]);
      const config = { unstable, imports: Object.fromEntries([...others, ...own]) };
      await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(config));
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-lock", "--no-check", "main.ts"],
        cwd: folder,
      }).output();
      const decoder = new TextDecoder();
      assertEquals(code, 0, decoder.decode(stderr));
      assertMatch(
        decoder.decode(stdout),
        /d conv\.weight: normalised error [\d.]+e-[678]\n[^]*loss [\d.]+ -> 0\.\d+ on /,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
