/**
 * What a run knows of the processes that it is shared out to, its ranks. `mpi/` has the one that speaks MPI; `ALONE` is that of a single
 * process.
 * @module
 */

/** Moves bytes among ranks. Every rank calls the same methods in the same order; arrays that are given are taken over. */
export interface Communicator {
  /** This process's number, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** Each rank's machine, by rank. */
  readonly hosts: readonly string[];
  /** This process's number among those of its machine, from 0. */
  readonly localRank: number;
  /** What every rank gave, by rank; lengths may differ. */
  gather(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array[]>;
  /** All ranks' parts one after the other; `counts` says how long each rank's is. */
  gatherParts(part: Float32Array<ArrayBuffer>, counts: readonly number[]): Promise<Float32Array<ArrayBuffer>>;
  /** Rank r gets `sent[r]` of the values, in the order of the ranks, and this one `received[r]` of rank r's. */
  exchange(
    values: Float32Array<ArrayBuffer>,
    sent: readonly number[],
    received: readonly number[],
  ): Promise<Float32Array<ArrayBuffer>>;
  /** Sums over all ranks, in the order that the library takes: equal on all ranks, but not for every number of them. */
  sum(values: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>>;
  /** Rank 0's values; the others give an array of the same length. */
  broadcast(values: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>>;
  /** Resolves once every rank has come here. */
  barrier(): Promise<void>;
}

/** A single process: what it gives is what it gets. */
export const ALONE: Communicator = {
  rank: 0,
  size: 1,
  hosts: ["this machine"],
  localRank: 0,
  gather: (bytes) => Promise.resolve([bytes]),
  gatherParts: (part) => Promise.resolve(part),
  exchange: (values) => Promise.resolve(values),
  sum: (values) => Promise.resolve(values),
  broadcast: (values) => Promise.resolve(values),
  barrier: () => Promise.resolve(),
};

/** A rank for people: its number and its machine. */
export function rankName({ hosts }: Pick<Communicator, "hosts">, rank: number): string {
  return `rank ${rank} on ${hosts[rank]}`;
}

/** Every rank's value, by rank; values are what JSON can hold. */
export async function gatherValues<T>(ranks: Communicator, value: T): Promise<T[]> {
  const texts = await ranks.gather(new TextEncoder().encode(JSON.stringify(value ?? null)));
  return texts.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)) as T);
}

/** What rank 0's `work` resolves with, on every rank; the others do none of it. */
export async function fromFirst<T>(ranks: Communicator, work: () => T | Promise<T>): Promise<T> {
  if (ranks.size === 1) return await work();
  const [first] = await gatherValues(ranks, ranks.rank === 0 ? await work() : null);
  return first as T;
}

/** Does `work` on the first rank of every machine, then on the others: what it leaves on the machine's disk is found there. */
export async function firstOfHostFirst<T>(ranks: Communicator, work: () => Promise<T>): Promise<T> {
  const first = ranks.localRank === 0 ? { result: await work() } : undefined;
  await ranks.barrier();
  return first ? first.result : await work();
}
