/**
 * Signs of life: every rank sends one to rank 0 each second, and rank 0 one to every rank. Launchers notice a process that ends; they do not
 * notice a machine that is cut off, and MPI waits for it for ever.
 * @module
 */
import { UserError } from "../../engine/errors.ts";
import type { MpiLibrary, Request } from "./library.ts";
import type { Peer } from "./orders.ts";

/** Milliseconds between two signs. */
const BEAT_MS = 1000;

/** Milliseconds without a sign after which a rank counts as lost. */
export const SILENCE_MS = 15_000;

/** A gap in this thread's own looks after which it was itself asleep, and others' silence says nothing. */
const ASLEEP_MS = 5000;

const TAG = 77;

/** Signs of life to and from the ranks that this one watches. */
export class Heartbeats {
  readonly #communicator: bigint;
  readonly #heard = new Map<number, number>();
  readonly #sending = new Map<number, Request>();
  #beatAt = 0;
  #lookedAt = performance.now();
  #stopped = false;

  /** `peers` are all others on rank 0, and rank 0 on the others. Every rank makes its own at the same time. */
  constructor(readonly library: MpiLibrary, readonly rank: number, readonly peers: readonly Peer[]) {
    this.#communicator = library.duplicate();
    for (const peer of peers) this.#heard.set(peer.rank, performance.now());
  }

  /** Sends and takes what is due. Throws a `UserError` that names a rank which is gone. */
  look(): void {
    const now = performance.now();
    if (now - this.#lookedAt > ASLEEP_MS) { for (const { rank } of this.peers) this.#heard.set(rank, now); }
    this.#lookedAt = now;
    this.drain(now);
    if (this.#stopped || now - this.#beatAt < BEAT_MS) return;
    this.#beatAt = now;
    for (const peer of this.peers) {
      this.#send(peer);
      this.#requireAlive(peer, now);
    }
  }

  /** Takes the signs that have come. */
  drain(now: number = performance.now()): void {
    for (;;) {
      const from = this.library.receive(this.#communicator, TAG);
      if (from === undefined) return;
      this.#heard.set(from, now);
    }
  }

  /** Whether a sign is still under way from here. */
  get sending(): boolean {
    for (const [rank, request] of this.#sending) {
      if (this.library.test(request)) this.#sending.delete(rank);
    }
    return this.#sending.size > 0;
  }

  /** Sends no more. */
  stop(): void {
    this.#stopped = true;
  }

  #send({ rank }: Peer): void {
    const before = this.#sending.get(rank);
    // One that is not taken says that another would not be, either.
    if (before && !this.library.test(before)) return;
    const beat = Int32Array.of(this.rank), { byte } = this.library.handles;
    this.#sending.set(
      rank,
      this.library.start(
        [beat],
        (mpi, request) => mpi.MPI_Isend(beat, 4, byte, rank, TAG, this.#communicator, request),
      ),
    );
  }

  #requireAlive({ rank, host, pid }: Peer, now: number): void {
    const seconds = Math.round((now - this.#heard.get(rank)!) / 1000);
    if (now - this.#heard.get(rank)! > SILENCE_MS) {
      throw new UserError(
        `Lost rank ${rank} on ${host} (process ${pid}): it has given no sign of life for ${seconds} s, so it hangs or its machine is cut off; ` +
          "the run goes on from its last saved state with --resume",
      );
    }
    if (host === Deno.hostname() && !exists(pid)) {
      throw new UserError(
        `Lost rank ${rank} on ${host}: its process ${pid} has ended, killed or crashed; ` +
          "the run goes on from its last saved state with --resume",
      );
    }
  }
}

/** Whether there is such a process on this machine, where the system tells. */
function exists(pid: number): boolean {
  if (Deno.build.os !== "linux") return true;
  try {
    // What has ended and was not yet waited for is still listed, in state Z.
    return !/^\d+ \(.*\) Z/s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
