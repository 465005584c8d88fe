/** `deno task fetch`: brings a checkpoint from an object store or a web server, verified, and can keep a file up to date with it. */
import { delay } from "@std/async/delay";
import { dirname } from "@std/path";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { accessFrom, fetchCheckpoint, isRemote, RemoteCheckpointError } from "../model/checkpoint/remote.ts";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";

const NAME = "deno task fetch";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Brings a checkpoint from s3://BUCKET/KEY or https://…, verified, and prints the path of the file. Stores and keys are as in Amazon's " +
    "own tools: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. #sha256=… after the address says what it must be.",
  flags: {
    out: flag.path({ help: "also replace this file by it, in one step, if it is another", value: "FILE" }),
    every: flag.int({
      help: "look again after that many seconds, for ever; with --out",
      value: "SECONDS",
      min: 1,
    }),
  },
  positionals: { name: "ADDRESS", usage: "ADDRESS", min: 1, max: 1 },
});

await runCommand(NAME, async () => {
  const [address] = flags.positionals as [string];
  if (!isRemote(address)) {
    throw new UsageError(`cannot fetch ${address}: wanted s3://BUCKET/KEY or https://…`);
  }
  if (flags.every !== undefined && flags.out === undefined) throw new UsageError("--every needs --out");
  let last: string | undefined;
  for (;;) {
    try {
      const { path, cached, verified } = await fetchCheckpoint(address, {
        access: accessFrom((name) => Deno.env.get(name)),
      });
      if (path !== last) {
        console.error(`${cached ? "Kept" : "Fetched"}   ${address}: verified by ${verified}`);
        if (flags.out !== undefined) await replace(flags.out, path);
        console.log(flags.out ?? path);
      }
      last = path;
    } catch (error) {
      // What is served goes on being served.
      if (flags.every === undefined || last === undefined || !(error instanceof RemoteCheckpointError)) {
        throw error;
      }
      console.error(`${NAME}: ${error.message}; trying again`);
    }
    if (flags.every === undefined) return;
    await delay(flags.every * 1000);
  }
});

async function replace(out: string, path: string): Promise<void> {
  await Deno.mkdir(dirname(out), { recursive: true });
  await writeFileAtomically(out, await Deno.readFile(path));
}
