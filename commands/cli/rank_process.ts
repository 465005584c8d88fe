/**
 * A rank as two processes: one that computes, and one that waits for it and says how it ended where it cannot say so itself. Launchers tell
 * of a process that was killed, if at all, by a number that nobody knows, and end all others before these can speak.
 * @module
 */
import { describeFailure } from "./failures.ts";
import { UserError } from "../../engine/errors.ts";

/** Tells the process that computes that another one waits for it. */
const WAITED_FOR = "ALEXNET_RANK_PROCESS";

/** Where launchers write a rank's number. */
const NUMBERS = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"];

/** Signals that are for the rank; the last is how MPICH's launcher tells of another's end. */
const FORWARDED = ["SIGINT", "SIGTERM", "SIGUSR1"] as const;

/** The sentence about a rank's process that a signal has ended. */
export function endText(rank: string, pid: number, signal: string): string {
  const why = signal === "SIGKILL" ? ", as the system does where memory runs out" : "";
  return `rank ${rank} on ${Deno.hostname()}: its process ${pid} was ended by ${signal}${why}; ` +
    "the run goes on from its last saved state with --resume";
}

/**
 * In the process that a launcher started: starts the one that computes, waits for it and ends as it does. In that one: returns at once, and
 * lets the system end it with the one that waits.
 */
export async function becomeRank(name: string): Promise<void> {
  if (Deno.env.has(WAITED_FOR)) return endWithParent();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", Deno.mainModule, ...Deno.args],
    env: { [WAITED_FOR]: "1" },
    stdin: "null",
  }).spawn();
  for (const signal of FORWARDED) {
    if (Deno.build.os === "windows") break;
    Deno.addSignalListener(signal, () => {
      try {
        child.kill(signal);
      } catch {
        // it has ended
      }
    });
  }
  const { code, signal } = await child.status;
  if (signal !== null) {
    const rank = NUMBERS.map((name) => Deno.env.get(name)).find((number) => number !== undefined) ?? "?";
    console.error(describeFailure(name, new UserError(endText(rank, child.pid, signal))));
  }
  Deno.exit(code);
}

/** Linux alone can do that; elsewhere the other ranks' signs of life end it. */
function endWithParent(): void {
  if (Deno.build.os !== "linux") return;
  const { symbols: libc } = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  });
  const PR_SET_PDEATHSIG = 1, SIGKILL = 9n;
  libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n);
}
