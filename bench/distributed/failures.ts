/**
 * What ends a run on two ranks, and with which sentence: `deno run -A bench/distributed/failures.ts`. As root, for the full disk.
 */
import { join } from "@std/path";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { ENV, type LauncherName, LAUNCHERS, TRAIN } from "./launch.ts";

const flags = parseOrExit(Deno.args, {
  name: "failures",
  summary: "Makes runs on two ranks fail in several ways and prints what they say.",
  flags: {
    launcher: flag.choice(Object.keys(LAUNCHERS) as LauncherName[], {
      help: "whose mpirun",
      default: "openmpi",
    }),
    only: flag.string({ help: "part of a case's name" }),
  },
});

const ROOT = join(import.meta.dirname!, "../..");
const dir = await Deno.makeTempDir({ prefix: "failures-" });
const counts = { train: 48, valid: 8, test: 8 };
const data = await ensureShapes(join(dir, "shapes"), { seed: 3, counts });
const other = await ensureShapes(join(dir, "other"), { seed: 4, counts });
const options = [
  ...["--cache", join(dir, "cache"), "--workers", "1", "--json", "--model", "compact", "--size", "64"],
  ...["--batch-size", "2", "--micro-batches", "2", "--steps", "500", "--save-every", "5", "--distributed"],
];

/** A rank that differs from the usual one. */
interface Case {
  readonly name: string;
  /** Of the second rank. */
  readonly env?: readonly string[];
  readonly train?: readonly string[];
  readonly args?: readonly string[];
  readonly out?: string;
}

async function sh(command: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", { args: ["-c", command], cwd: ROOT }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

const full = join(dir, "full"), copy = join(dir, "copy");
await sh(`mkdir ${full} && mount -t tmpfs -o size=600k none ${full}`);
await sh(
  `mkdir ${copy} && git archive HEAD | tar -x -C ${copy} && echo '// other' >> ${copy}/engine/text.ts`,
);
const cases: Case[] = [
  { name: "a rank without an adapter", env: ["VK_DRIVER_FILES=/none", "VK_ICD_FILENAMES=/none"] },
  { name: "a full disk on rank 0", out: join(full, "run") },
  { name: "other photos on a rank", args: ["--data", other] },
  { name: "another version on a rank", train: ["run", "-A", join(copy, "train.ts")] },
  { name: "other options on a rank", args: ["--seed", "9"] },
];
try {
  for (
    const { name, env = [], train = TRAIN, args = [], out = join(dir, name.replaceAll(" ", "-")) } of cases
  ) {
    if (flags.only !== undefined && !name.includes(flags.only)) continue;
    const usual = ["--data", data, "--out", out, ...options];
    const changed = args.includes("--data") ? usual.slice(2) : usual;
    const [program, ...own] = LAUNCHERS[flags.launcher];
    const started = performance.now();
    const { code, stderr } = await new Deno.Command(program, {
      args: [
        ...[...own, "-n", "1", Deno.execPath(), ...TRAIN, ...usual],
        ...[":", "-n", "1", "env", ...env, Deno.execPath(), ...train, ...changed, ...args],
      ],
      ...{ env: ENV, cwd: ROOT, stdout: "null", stderr: "piped" },
    }).output();
    const seconds = (performance.now() - started) / 1000;
    const told = new TextDecoder().decode(stderr).split("\n").filter((line) =>
      line.startsWith("deno task train")
    );
    console.log(`${name}: code ${code} ${seconds.toFixed(1)} s after the start\n  ${told.join("\n  ")}`);
    const left = [...Deno.readDirSync(dir)].flatMap(({ name: run }) => {
      try {
        return [...Deno.readDirSync(join(dir, run))].filter((file) => file.name.endsWith(".tmp")).map((
          file,
        ) => file.name);
      } catch {
        return [];
      }
    });
    if (left.length > 0) console.log(`  left half-written: ${left.join(", ")}`);
  }
} finally {
  await sh(`umount ${full}; rm -rf ${dir}`);
}
