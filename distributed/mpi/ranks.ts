/**
 * The communicator of a process that a launcher of MPI (mpirun, mpiexec, srun) started.
 * @module
 */
import { delay } from "@std/async/delay";
import { UserError } from "../../engine/errors.ts";
import { type Communicator, gatherValues } from "../communicator.ts";
import type { MpiKind } from "./library.ts";
import { MPI_LIBRARY, requireLauncher } from "./launcher.ts";
import type { Answer, Order, Peer, Task } from "./orders.ts";

/** Milliseconds that MPI has to end in, once every rank has come to its end. */
const CLOSING_MS = 10_000;

/** The ranks of this job. */
export class MpiRanks implements Communicator, AsyncDisposable {
  rank = 0;
  size = 1;
  hosts: readonly string[] = [Deno.hostname()];
  localRank = 0;
  /** Each rank's process on its machine, by rank. */
  processes: readonly number[] = [Deno.pid];
  /** What the library says of itself. */
  version = "";
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, PromiseWithResolvers<Extract<Answer, { id: number }>>>();
  #failure: UserError | undefined;
  #orders = 0;

  private constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("failure" in data) return this.#fail(data.failure);
      this.#waiting.get(data.id)?.resolve(data);
      this.#waiting.delete(data.id);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
  }

  /** Joins the other ranks. Throws a `UserError` where no launcher started this process, or its library cannot be opened. */
  static async open(get: (name: string) => string | undefined = Deno.env.get): Promise<MpiRanks> {
    const kind = requireLauncher(get), file = get(MPI_LIBRARY);
    prepare(kind);
    const ranks = new MpiRanks();
    const { values, counts } = await ranks.#order({ op: "open", kind, paths: file ? [file] : undefined });
    ranks.version = new TextDecoder().decode(values as Uint8Array);
    [ranks.rank, ranks.size] = counts as [number, number];
    const all = await gatherValues(ranks, { host: Deno.hostname(), pid: Deno.pid });
    ranks.hosts = all.map(({ host }) => host);
    ranks.processes = all.map(({ pid }) => pid);
    ranks.localRank = ranks.hosts.slice(0, ranks.rank).filter((host) => host === Deno.hostname()).length;
    const peers: Peer[] = all.map((peer, rank) => ({ rank, ...peer }))
      .filter(({ rank }) => ranks.rank === 0 ? rank > 0 : rank === 0);
    await ranks.#order({ op: "watch", rank: ranks.rank, peers });
    return ranks;
  }

  async gather(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array[]> {
    // A float32 holds whole numbers up to 2^24.
    const { length } = bytes, own = Float32Array.of(Math.floor(length / 2 ** 20), length % 2 ** 20);
    const lengths = await this.gatherParts(own, Array(this.size).fill(2));
    const counts = Array.from(
      { length: this.size },
      (_, r) => lengths[2 * r]! * 2 ** 20 + lengths[2 * r + 1]!,
    );
    const { values } = await this.#order({ op: "gatherParts", values: bytes, counts }, bytes);
    let at = 0;
    return counts.map((count) => (values as Uint8Array).subarray(at, at += count));
  }

  async gatherParts(values: Float32Array<ArrayBuffer>, counts: readonly number[]) {
    return floats(await this.#order({ op: "gatherParts", values, counts }, values));
  }

  async exchange(values: Float32Array<ArrayBuffer>, sent: readonly number[], received: readonly number[]) {
    return floats(await this.#order({ op: "exchange", values, sent, received }, values));
  }

  async sum(values: Float32Array<ArrayBuffer>) {
    return floats(await this.#order({ op: "sum", values }, values));
  }

  async broadcast(values: Float32Array<ArrayBuffer>) {
    return floats(await this.#order({ op: "broadcast", values }, values));
  }

  async barrier(): Promise<void> {
    await this.#order({ op: "barrier" });
  }

  /** Ends all ranks at once, this one too; for what cannot be put right. */
  async abort(): Promise<void> {
    this.#failure = undefined;
    await Promise.race([
      this.#order({ op: "abort" }).catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 2000)),
    ]);
  }

  /** Waits for the other ranks and ends MPI. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure) return this.#worker.terminate();
    const closed = this.#order({ op: "close" }), done = new AbortController();
    closed.finally(() => done.abort()).catch(() => {});
    const late = delay(CLOSING_MS, { signal: done.signal }).then(() => true, () => false);
    if (!await late) {
      this.#worker.terminate();
      return void await closed;
    }
    // Its thread cannot be ended from here, and all that was to be done is done.
    console.error(
      `${this.version.split("\n", 1)[0]} did not end in ${CLOSING_MS / 1000} s: rank ${this.rank} leaves it`,
    );
    Deno.exit();
  }

  #order(task: Task, values?: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>) {
    if (this.#failure) return Promise.reject(this.#failure);
    const order: Order = { id: this.#orders++, ...task };
    const waiting = Promise.withResolvers<Extract<Answer, { id: number }>>();
    this.#waiting.set(order.id, waiting);
    this.#worker.postMessage(order, values ? [values.buffer] : []);
    return waiting.promise;
  }

  #fail(reason: string): void {
    this.#failure ??= new UserError(reason);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

function floats({ values }: Extract<Answer, { id: number }>): Float32Array<ArrayBuffer> {
  return values as Float32Array<ArrayBuffer>;
}

/**
 * The transports that UCX may use: none that reads another process's memory, which ends this one when that one is gone; and no TCP where all
 * ranks are on one machine, as Hydra says, for closing its connections MPICH 4.0 may wait for ever in MPI_Finalize (3 of 10 runs).
 */
function transportsOf(get: (name: string) => string | undefined): string {
  const size = get("PMI_SIZE");
  return size !== undefined && size === get("MPI_LOCALNRANKS") ? "posix,sysv,self" : "^cma";
}

/** What a library would do by itself where a rank dies, in the way of a sentence about it. Call it before the library is loaded. */
function prepare(kind: MpiKind): void {
  if (kind !== "MPICH") return;
  if (!Deno.env.has("UCX_TLS")) Deno.env.set("UCX_TLS", transportsOf(Deno.env.get));
  // Hydra tells the others with this signal, at which Deno would open its inspector.
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGUSR1", () => {});
}
