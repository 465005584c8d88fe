/**
 * Whether 1, 2 and 4 ranks of both MPIs end with the same bits, and how far the fast sum is from them:
 * `deno run -A bench/distributed/bits.ts --steps 40`.
 */
import { join } from "@std/path";
import { flag, parseOrExit } from "../../commands/cli/args.ts";
import { ensureShapes } from "../../data/shapes/shapes.ts";
import { loadTensors } from "../../model/checkpoint/checkpoint.ts";
import { launched, type LauncherName, LAUNCHERS, plain, TRAIN } from "./launch.ts";

const flags = parseOrExit(Deno.args, {
  name: "bits",
  summary: "Compares the weights of runs on several numbers of ranks.",
  flags: {
    steps: flag.int({ help: "steps of a run", default: 40, min: 1 }),
    models: flag.list({ help: "architectures", separator: ",", default: ["compact", "compact-bn"] }),
    ranks: flag.list({ help: "numbers of ranks", separator: ",", default: ["2", "4"] }),
  },
});

const dir = await Deno.makeTempDir({ prefix: "bits-" });
const data = await ensureShapes(join(dir, "shapes"), { seed: 3, counts: { train: 48, valid: 8, test: 8 } });
const last = async (name: string) => (await loadTensors(join(dir, name, "last.safetensors"))).tensors;

/** The largest difference of a tensor's values beside the largest value, over all tensors. */
async function distance(a: string, b: string): Promise<number> {
  const [one, other] = [await last(a), await last(b)];
  return Math.max(...[...one].map(([name, { data }]) => {
    const values = other.get(name)!.data;
    const largest = data.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-30);
    return data.reduce((most, v, i) => Math.max(most, Math.abs(v - values[i]!)), 0) / largest;
  }));
}

async function finish(child: Deno.ChildProcess, name: string): Promise<void> {
  const { success, stderr } = await child.output();
  if (!success) throw new Error(`${name}: ${new TextDecoder().decode(stderr)}`);
}

for (const model of flags.models) {
  const options = [
    ...["--data", data, "--cache", join(dir, "cache"), "--workers", "1", "--json", "--model", model],
    ...["--size", "64", "--batch-size", "4", "--micro-batches", "4", "--steps", `${flags.steps}`],
  ];
  const alone = `${model}-1`;
  await finish(plain([...TRAIN, ...options, "--out", join(dir, alone)]).spawn(), alone);
  for (const launcher of Object.keys(LAUNCHERS) as LauncherName[]) {
    for (const fast of [false, true]) {
      const made: string[] = [];
      for (const ranks of flags.ranks) {
        const name = `${model}-${ranks}-${launcher}${fast ? "-fast" : ""}`;
        const more = ["--out", join(dir, name), "--distributed", ...fast ? ["--fast-reduce"] : []];
        await finish(launched(launcher, Number(ranks), [...options, ...more]), name);
        made.push(`${ranks} ranks ${await distance(alone, name)}`);
      }
      console.log(
        `${model}, ${flags.steps} steps, ${launcher}${fast ? ", fast sum" : ""}: from 1 rank ${
          made.join(", ")
        }`,
      );
    }
  }
}
await Deno.remove(dir, { recursive: true });
