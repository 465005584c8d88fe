import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { findPath, recordPath, requirePath, typedPath } from "../../training/run/run_paths.ts";
import { testNeeding } from "../permissions.ts";
import { withShapes } from "./small_run.ts";

const test = testNeeding("all");
const TRAIN = fromFileUrl(import.meta.resolve("../../train.ts"));

/** Runs `train.ts` in `cwd`; its output, which must be that of a success. */
async function trainIn(cwd: string, ...args: string[]): Promise<string> {
  const run = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", TRAIN, "--workers", "2", "--no-report", ...args],
    cwd,
  });
  const { code, stdout, stderr } = await run.output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  return text;
}

test("a path is found where it was, and where run and path were moved together", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const run = join(dir, "a", "runs", "x"), photos = join(dir, "a", "photos");
    await Deno.mkdir(run, { recursive: true });
    await Deno.mkdir(photos);
    const recorded = recordPath(run, photos);
    assertEquals(recorded, { path: photos, fromRun: "../../photos" });
    assertEquals(await findPath(run, recorded), photos);
    assertEquals(await requirePath(run, typedPath("photos"), "folder of photos"), join(dir, "a", "photos"));
    await Deno.rename(join(dir, "a"), join(dir, "b"));
    const moved = join(dir, "b", "runs", "x");
    assertEquals(await findPath(moved, recorded), join(dir, "b", "photos"));
    await Deno.remove(join(dir, "b", "photos"));
    const error = await assertRejects(() => requirePath(moved, recorded, "folder of photos"), UserError);
    assertEquals(
      error.message,
      `Cannot resume ${moved}: its folder of photos is not at ${photos} nor at ${join(dir, "b", "photos")}`,
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

test("a run that was begun with relative paths goes on from any folder, and no checkpoint names one", () =>
  withShapes(async (dir, data) => {
    const small = ["--size", "64", "--epochs", "1", "--cache", "decoded"];
    await trainIn(dir, "--data", "shapes", "--out", "runs/first", ...small);
    await trainIn(
      dir,
      "--data",
      "shapes",
      "--out",
      "runs/x",
      "--weights",
      "runs/first/last.safetensors",
      ...small,
    );
    const config = JSON.parse(await Deno.readTextFile(join(dir, "runs", "x", "config.json")));
    assertEquals([config.data, config.paths.data], ["shapes", { path: data, fromRun: "../../shapes" }]);
    assertEquals("wholeStepsOnly" in config, false);
    const elsewhere = await Deno.makeTempDir();
    try {
      await trainIn(elsewhere, "--resume", join(dir, "runs", "x"), "--epochs", "2");
      // The cache is the run's, too.
      assertEquals([...Deno.readDirSync(elsewhere)].length, 0);
      const moved = join(elsewhere, "moved");
      await Deno.rename(dir, moved);
      const text = await trainIn("/", "--resume", join(moved, "runs", "x"), "--epochs", "3");
      assertStringIncludes(text, "Resumed   after step 4");
      for (const file of ["last.safetensors", "best.safetensors", "last.state.safetensors"]) {
        const bytes = await Deno.readFile(join(moved, "runs", "x", file));
        assert(!new TextDecoder("latin1").decode(bytes).includes(dirname(dir)), file);
      }
    } finally {
      await Deno.mkdir(dir, { recursive: true }); // as it is taken away afterwards
      await Deno.remove(elsewhere, { recursive: true });
    }
  }));
