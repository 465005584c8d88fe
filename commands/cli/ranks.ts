/**
 * Commands that several processes carry out together, started by a launcher of MPI.
 * @module
 */
import { ALONE, type Communicator, rankName } from "../../distributed/communicator.ts";
import { requireLauncher } from "../../distributed/mpi/launcher.ts";
import { MpiRanks } from "../../distributed/mpi/ranks.ts";
import { UserError } from "../../engine/errors.ts";
import { DivergedError } from "../../training/run/progress.ts";
import { selectAdapter } from "../../engine/select_adapter.ts";
import { becomeRank } from "./rank_process.ts";
import { flag } from "./args.ts";
import { describeFailure } from "./failures.ts";
import { UsageError } from "./flags.ts";

/** `--distributed`. */
export const DISTRIBUTED_FLAG = flag.boolean({
  help: "one of several processes that mpirun or srun started: together they do what one would",
});

/** Ranks that are listed one by one. */
const LISTED = 16;

/** How the ranks of a job lie on its machines, for people: a launcher that tells of a dead process names its number and no rank. */
export function ranksText(
  { size, hosts, processes, version }: Pick<MpiRanks, "size" | "hosts" | "processes" | "version">,
): string {
  const where = [...new Set(hosts)].map((host) => {
    const own = [...hosts.keys()].filter((rank) => hosts[rank] === host);
    if (size > LISTED) return `${own.length} on ${host}`;
    return own.map((rank) => `${rank} is process ${processes[rank]}`).join(", ") + ` on ${host}`;
  });
  return `Ranks     ${size} by ${version}: ${where.join("; ")}`;
}

/**
 * Does `work` with this process's ranks, itself alone unless it is `distributed`. What goes wrong on one rank is said by it, with its number
 * and machine, and ends all of them. `onRanks` hears how they lie, once.
 */
export async function withRanks<T>(
  distributed: boolean,
  name: string,
  onRanks: (text: string) => void,
  work: (ranks: Communicator) => Promise<T>,
): Promise<T> {
  if (!distributed) return await work(ALONE);
  requireLauncher();
  await becomeRank(name);
  const ranks = await MpiRanks.open();
  try {
    selectAdapter(ranks.localRank, ranks.hosts.filter((host) => host === ranks.hosts[ranks.rank]).length);
    if (ranks.rank === 0) onRanks(ranksText(ranks));
    const result = await work(ranks);
    await ranks[Symbol.asyncDispose]();
    return result;
  } catch (error) {
    // What every rank finds is said by the first, which ends the others.
    const common = error instanceof UsageError || error instanceof DivergedError;
    if (common && ranks.rank > 0) await ranks.barrier().catch(() => {});
    const where = rankName(ranks, ranks.rank);
    if (!(error instanceof Error)) throw error;
    // Said before the others are ended, since the launcher then ends this one, too.
    const told = describeFailure(name, error);
    console.error(told.replace(`${name}: `, `${name}: ${where}: `));
    await ranks.abort();
    Deno.exit(error instanceof UserError ? 1 : 70);
  }
}
