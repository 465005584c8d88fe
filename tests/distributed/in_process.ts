/** Ranks within one process, for tests: what they move lies in its memory. */
import type { Communicator } from "../../distributed/communicator.ts";

type Values = Float32Array<ArrayBuffer>;

/** That many ranks; each is to be used by a task of its own. Calls are matched by their order. */
export function inProcessRanks(size: number, hosts = Array(size).fill("here")): Communicator[] {
  const rounds: { given: unknown[]; all: PromiseWithResolvers<unknown[]>; missing: number }[] = [];
  const turns = Array<number>(size).fill(0);
  /** Resolves with what every rank gave in this round. */
  const meet = async <T>(rank: number, value: T): Promise<T[]> => {
    const turn = turns[rank]!++;
    const round = rounds[turn] ??= { given: [], all: Promise.withResolvers(), missing: size };
    round.given[rank] = value;
    if (--round.missing === 0) round.all.resolve(round.given);
    return await round.all.promise as T[];
  };
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    hosts,
    localRank: hosts.slice(0, rank).filter((host) => host === hosts[rank]).length,
    gather: (bytes) => meet(rank, bytes),
    async gatherParts(part, counts) {
      const parts = await meet(rank, part);
      parts.forEach(({ length }, r) => {
        if (length !== counts[r]) {
          throw new Error(`rank ${r} gave ${length} values, rank ${rank} expected ${counts[r]}`);
        }
      });
      return joined(parts);
    },
    async exchange(values, sent, received) {
      const all = await meet(rank, { values, sent });
      const parts = all.map(({ values, sent }) => {
        const from = sent.slice(0, rank).reduce((a, b) => a + b, 0);
        return values.slice(from, from + sent[rank]!);
      });
      parts.forEach(({ length }, r) => {
        if (length !== received[r]) {
          throw new Error(`rank ${r} sent ${length} values to ${rank}, not ${received[r]}`);
        }
      });
      return joined(parts);
    },
    async sum(values) {
      const all = await meet(rank, values);
      // From the last to the first: another order than the tree's.
      return all.reduceRight((sum, own) => sum.map((v, i) => v + own[i]!) as Values);
    },
    broadcast: async (values) => (await meet(rank, values))[0]!.slice(),
    barrier: async () => void await meet(rank, undefined),
  }));
}

function joined(parts: readonly Values[]): Values {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
