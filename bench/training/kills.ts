/**
 * `deno run -A bench/training/kills.ts`: a run with everything that has a state of its own (average, mixing, a teacher, soft labels, patience) is
 * killed at random moments and resumed each time, then compared with the same run undisturbed. Prints, as JSON, where it was killed and
 * whether the weights are bitwise equal; the exit code is 1 where they are not.
 * @module
 */
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { ensureShapes } from "../../data/shapes/shapes.ts";

const flags = parseOrExit(Deno.args, {
  name: "deno run -A bench/training/kills.ts",
  summary:
    "Kills a training at random moments, resumes it, and compares its weights with the undisturbed run's.",
  usesGpu: true,
  flags: {
    kills: flag.int({ help: "how often", default: 20, min: 1 }),
    epochs: flag.int({ help: "length of the run", default: 30, min: 2 }),
    seed: flag.int({ help: "decides the moments", default: 1, min: 0 }),
  },
});

const root = join(import.meta.dirname!, "..", "..");
const dir = await Deno.makeTempDir({ prefix: "kills-" });
const file = (...parts: string[]) => join(dir, ...parts);

/** A program that trains, started in the folder of the runs. */
function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(root, "train.ts"), ...args, "--no-report"],
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

async function finish(...args: string[]): Promise<void> {
  const { code, stderr } = await start(...args).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
}

/** Steps that the folder's log tells of. */
async function stepsTold(run: string): Promise<number> {
  const text = await Deno.readTextFile(file(run, "events.jsonl")).catch(() => "");
  const steps = [...text.matchAll(/"event":"step".*?"step":(\d+)/g)].map((match) => Number(match[1]));
  return steps.at(-1) ?? 0;
}

const sha256 = async (path: string) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path))).toHex();

try {
  const data = await ensureShapes(file("shapes"), { seed: 3, counts: { train: 64, valid: 16, test: 0 } });
  const small = ["--data", data, "--cache", file("cache")];
  await finish(...small, "--model", "compact", "--size", "64", "--epochs", "2", "--out", file("teacher"));
  const rows = [...Deno.readDirSync(join(data, "train"))].flatMap(({ name }) =>
    [...Deno.readDirSync(join(data, "train", name))].map((photo) => [name, photo.name] as const)
  );
  const classes = [...new Set(rows.map(([name]) => name))].sort();
  const table = rows.map(([name, photo], i) => {
    const share = 0.7 + 0.3 * (i % 4) / 3, rest = (1 - share) / (classes.length - 1);
    return [`train/${name}/${photo}`, ...classes.map((c) => c === name ? share : rest)].join(",");
  });
  await Deno.writeTextFile(file("soft.csv"), [["file", ...classes].join(","), ...table].join("\n") + "\n");
  const options = [
    ...[...small, "--recipe", "photos", "--model", "compact-res", "--size", "48", "--start-size", "32"],
    ...["--batch-size", "8", "--cutmix", "1", "--random-erase", "0.3", "--patience", "25"],
    ...["--soft-labels", file("soft.csv"), "--distill", file("teacher"), "--epochs", `${flags.epochs}`],
  ];
  const started = performance.now();
  const whole = start(...options, "--out", file("whole"));
  while (await stepsTold("whole") === 0) await delay(50);
  const first = performance.now() - started;
  const { code, stderr } = await whole.output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  const training = performance.now() - started - first;
  let random = flags.seed * 2654435761 % 2 ** 32;
  const draw = () => (random = (random * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const kills: { step: number; seconds: number }[] = [];
  let ended = false;
  const begin = ["--save-every", "3", ...options, "--out", file("killed")];
  const goOn = ["--save-every", "3", "--resume", file("killed"), "--cache", file("cache")];
  while (kills.length < flags.kills && !ended) {
    // A run that was killed before it had a folder is no run to go on with.
    const known = await Deno.stat(file("killed", "config.json")).then(() => true, () => false);
    const child = start(...known ? goOn : begin), from = performance.now();
    // One in five while it starts, the others so long after it trains that the run has its time in all of them together.
    const moment = draw() < 0.2 ? first * draw() : first + 2 * training / flags.kills * draw();
    const over = await Promise.race([child.status.then(() => true), delay(moment).then(() => false)]);
    if (over) {
      ended = true;
      const { code, stderr } = await child.output();
      if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    } else {
      child.kill("SIGKILL");
      await child.output();
      kills.push({ step: await stepsTold("killed"), seconds: (performance.now() - from) / 1000 });
      console.error(`killed ${kills.length} times, last after step ${kills.at(-1)!.step}`);
    }
  }
  if (!ended) await finish(...goOn);
  const files = ["last.safetensors", "best.safetensors"];
  const equal = await Promise.all(
    files.map(async (name) => await sha256(file("whole", name)) === await sha256(file("killed", name))),
  );
  const seconds = Math.round((performance.now() - started) / 1000);
  const log = await Promise.all(["whole", "killed"].map((run) => Deno.readTextFile(file(run, "log.csv"))));
  const withoutRates = (csv: string) => csv.split("\n").map((row) => row.split(",").slice(0, -1).join());
  const sameLog = withoutRates(log[0]!).join("\n") === withoutRates(log[1]!).join("\n");
  console.log(JSON.stringify({ kills, endedBefore: ended, seconds, bitwiseEqual: equal, sameLog }));
  if (equal.includes(false) || !sameLog) Deno.exitCode = 1;
} finally {
  await Deno.remove(dir, { recursive: true });
}
