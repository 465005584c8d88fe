/**
 * Kills ranks of a run at random, again and again, resumes it each time on a random number of ranks, and compares its end with a run that
 * nobody disturbed: `deno run -A bench/distributed/kills.ts --kills 20`.
 */
import { join } from "@std/path";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { launched, type LauncherName, LAUNCHERS, plain, TRAIN } from "./launch.ts";

const flags = parseOrExit(Deno.args, {
  name: "kills",
  summary: "Kills random ranks of a run, resumes it on random numbers of ranks, and compares its bits.",
  flags: {
    kills: flag.int({ help: "kills", default: 20, min: 1 }),
    launcher: flag.choice(Object.keys(LAUNCHERS) as LauncherName[], {
      help: "whose mpirun",
      default: "openmpi",
    }),
    model: flag.string({ help: "architecture", default: "compact-bn" }),
    seed: flag.int({ help: "decides ranks, numbers and times", default: 1, min: 1 }),
  },
});

/** Numbers from 0 to under 1 that follow from the seed (Park and Miller 1988). */
let state = flags.seed;
const random = () => (state = state * 48271 % 2147483647) / 2147483647;

const dir = await Deno.makeTempDir({ prefix: "kills-" });
const data = await ensureShapes(join(dir, "shapes"), { seed: 3, counts: { train: 48, valid: 8, test: 8 } });
const steps = 4 * flags.kills + 10;
const options = [
  ...["--data", data, "--cache", join(dir, "cache"), "--workers", "1", "--json", "--model", flags.model],
  ...["--size", "64", "--batch-size", "2", "--micro-batches", "4", "--steps", `${steps}`],
];
const run = join(dir, "run"), whole = join(dir, "whole");

const alone = await plain([...TRAIN, ...options, "--out", whole]).output();
if (!alone.success) throw new Error(new TextDecoder().decode(alone.stderr));

let kills = 0, longest = 0, done = false, resumed = false;
while (!done) {
  const ranks = 1 + Math.floor(random() * 4), victim = Math.floor(random() * ranks);
  const more = Math.floor(random() * 4);
  const places = resumed ? ["--resume", run, "--json"] : [...options, "--out", run];
  const child = launched(flags.launcher, ranks, [...places, "--save-every", "1", "--distributed"]);
  const errors = new Response(child.stderr).text();
  let text = "", seen = 0, killedAt: number | undefined;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const reports = text.split('"event":"step"').length - 1;
    if (kills < flags.kills && killedAt === undefined && reports > more) {
      const pid = Number(new RegExp(`${victim} is process (\\d+)`).exec(text)?.[1]);
      Deno.kill(pid, "SIGKILL");
      killedAt = performance.now();
      kills++;
    }
    seen = reports;
  }
  const { success } = await child.status;
  resumed = true;
  if (killedAt === undefined && !success) throw new Error(`${text}\n${await errors}`);
  done = killedAt === undefined;
  const ended = killedAt === undefined ? 0 : (performance.now() - killedAt) / 1000;
  longest = Math.max(longest, ended);
  const told = (await errors).split("\n").find((line) => line.includes(`rank ${victim} on`)) ?? "nothing";
  console.log(
    done
      ? `ended on ${ranks} ranks after ${seen} reports`
      : `kill ${kills}: rank ${victim} of ${ranks} after ${seen} reports, over in ${
        ended.toFixed(1)
      } s: ${told}`,
  );
}
const same = async (file: string) => {
  const [a, b] = await Promise.all([run, whole].map((folder) => Deno.readFile(join(folder, file))));
  return a!.length === b!.length && a!.every((byte, i) => byte === b![i]);
};
console.log(
  `${kills} kills, the longest end took ${longest.toFixed(1)} s; last.safetensors ${
    await same("last.safetensors") ? "equal" : "DIFFERENT"
  }, best.safetensors ${await same("best.safetensors") ? "equal" : "DIFFERENT"}`,
);
await Deno.remove(dir, { recursive: true });
