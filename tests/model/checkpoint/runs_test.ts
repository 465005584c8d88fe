import { assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { CheckpointError } from "../../../model/checkpoint/files.ts";
import { checkpointAt, findRuns } from "../../../model/checkpoint/runs.ts";
import { testNeeding } from "../../permissions.ts";

/** A folder with these files, each a second newer than the one before. */
async function withFiles(names: readonly string[], work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [i, name] of names.entries()) {
      const path = join(folder, name);
      await Deno.mkdir(dirname(path), { recursive: true });
      await Deno.writeTextFile(path, "");
      await Deno.utime(path, 1000 + i, 1000 + i);
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const test = testNeeding("read", "write");

test("a run's folder means its best checkpoint, a folder of runs that of the newest, a file itself", () =>
  withFiles(
    ["b/best.safetensors", "c/last.safetensors", "a/best.safetensors", "d/best.safetensors/x"],
    async (runs) => {
      const newest = join(runs, "a", "best.safetensors"), older = join(runs, "b", "best.safetensors");
      assertEquals(await findRuns(runs), [{ name: "a", path: newest }, { name: "b", path: older }]);
      assertEquals(await findRuns(join(runs, "nowhere")), []);
      assertEquals(await checkpointAt(runs), newest);
      assertEquals(await checkpointAt(join(runs, "b")), older);
      assertEquals(await checkpointAt(`${join(runs, "b")}/`), older);
      assertEquals(await checkpointAt(older), older);
      assertEquals(await checkpointAt("nowhere/a.safetensors"), "nowhere/a.safetensors");
    },
  ));

test("a folder of runs says which one it took, and which newer ones have no checkpoint", () =>
  withFiles(
    ["old/config.json", "a/config.json", "a/best.safetensors", "b/config.json", "b/log.csv", "no run/x"],
    async (runs) => {
      const notes: string[] = [];
      const ask = (path: string) => checkpointAt(path, (text) => notes.push(text));
      await ask(runs);
      await ask(join(runs, "a")); // which run that is was said by whoever asked
      await ask(join(runs, "a", "best.safetensors"));
      const best = join(runs, "a", "best.safetensors"), newer = join(runs, "b");
      assertEquals(notes, [
        `Checkpoint ${best}; newer, but without a best.safetensors so far: ${newer}`,
      ]);
      await Deno.remove(newer, { recursive: true });
      await ask(runs);
      assertEquals(notes[1], `Checkpoint ${best}`);
    },
  ));

test("a folder without a best checkpoint is refused with what to do", () =>
  withFiles(
    [
      "last/last.safetensors",
      "last/config.json",
      "begun/config.json",
      "nan/config.json",
      "nan/diverged.txt",
      "photos/cat/1.jpg",
    ],
    async (folder) => {
      const refused = async (name: string, advice: string) => {
        const path = join(folder, name);
        const { message } = await assertRejects(() => checkpointAt(path), CheckpointError);
        assertEquals(message, `Cannot find a checkpoint in ${path}: there is no best.safetensors; ${advice}`);
      };
      const last = join(folder, "last"), begun = join(folder, "begun");
      await refused(
        "last",
        `the run ended before its first epoch did: go on with \`deno task train --resume ${last}\`, ` +
          `or name ${join(last, "last.safetensors")}`,
      );
      await refused(
        "begun",
        `nothing was saved of the run: train with \`deno task train --resume ${begun}\` first`,
      );
      await refused(
        "nan",
        `the run diverged (${
          join(folder, "nan", "diverged.txt")
        } says where): train another with a lower --lr`,
      );
      await refused(
        "photos",
        "name a file, or a run's folder that has one, as `deno task train` writes them to runs/",
      );
    },
  ));
