import { assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { resumableRun } from "../../training/run/resumable.ts";
import { testNeeding } from "../permissions.ts";

testNeeding("read", "write")(
  "--resume takes a run, a file of it, or a folder of runs, and says what else a path is",
  async () => {
    const dir = await Deno.makeTempDir();
    const files = [
      ...["old/config.json", "old/last.state.safetensors", "old/best.safetensors"],
      ...["new/config.json", "new/last.state.safetensors"],
      ...["bad/config.json", "bad/last.state.safetensors", "bad/diverged.txt"],
      ...["bare/config.json", "photos/a.jpg"],
    ];
    try {
      for (const [i, name] of files.entries()) {
        const path = join(dir, name);
        await Deno.mkdir(dirname(path), { recursive: true });
        await Deno.writeTextFile(path, "");
        await Deno.utime(path, 1000 + i, 1000 + i);
      }
      const notes: string[] = [];
      const resolve = async (name: string) => [
        await resumableRun(join(dir, name), (text) => notes.push(text)),
        ...notes.splice(0),
      ];
      const old = join(dir, "old"), newest = join(dir, "new");
      assertEquals(await resolve("old"), [old]);
      assertEquals(await resolve("bare"), [join(dir, "bare")]);
      const file = join(old, "best.safetensors");
      assertEquals(await resolve("old/best.safetensors"), [
        old,
        `Resuming  ${old}, the run that ${file} is of`,
      ]);
      assertEquals(await resolve(""), [newest, `Resuming  ${newest}, the newest run in ${join(dir, "")}`]);
      const refused = async (name: string, reason: string) => {
        const { message } = await assertRejects(() => resolve(name), UserError);
        assertEquals(message, `Cannot resume ${join(dir, name)}: ${reason}`);
      };
      const advice = "name one that `deno task train` wrote";
      await refused("none", `there is no such folder; ${advice}`);
      await refused(
        "photos",
        `it is no run's folder, which has a config.json, nor does it hold a run that can go on; ${advice}`,
      );
      const photo = join(dir, "photos", "a.jpg");
      await refused(
        "photos/a.jpg",
        `it is a file that lies in no run's folder; to start from weights, give --weights ${photo}`,
      );
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);
