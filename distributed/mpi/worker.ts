/**
 * The thread that MPI belongs to: it carries out what it is told, one call after the other, while the run's own thread computes, and looks
 * whether the other ranks still live. No rank waits in vain: those that are not heard of end the run.
 * @module
 */
import { Heartbeats } from "./heartbeats.ts";
import { MpiLibrary, type Request } from "./library.ts";
import type { Answer, Order } from "./orders.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(answer: Answer, transfer?: Transferable[]): void;
};

/** Tests in a row before the thread sleeps between two: most of what is awaited is there by then. */
const SPINS = 300;
/** Values from which a call first waits for all ranks, asleep between tests, and then moves them without sleeping: MPI moves a little at each test. */
const LARGE = 2 ** 16;
/** Milliseconds of such moving after which the thread sleeps between tests all the same: the network is what takes long. */
const MOVING_MS = 2000;
/** Longest sleep between two tests, in milliseconds: it would be processor time that others compute with. */
const NAP_MS = 0.5;
/** Milliseconds after the last call in which messages that are under way arrive. */
const SETTLING_MS = 500;
/** Milliseconds between two looks at the other ranks while nothing is to be done. */
const LOOK_MS = 250;

const never = new Int32Array(new SharedArrayBuffer(4));
let library: MpiLibrary, beats: Heartbeats | undefined, world: bigint;
let failed = false;

scope.onmessage = ({ data: order }) => {
  if (failed && order.op !== "abort") return;
  try {
    const { values, counts } = carryOut(order);
    const buffers = values ? [values.buffer as ArrayBuffer] : [];
    scope.postMessage({ id: order.id, values, ...counts && { counts } }, buffers);
  } catch (error) {
    fail(error);
  }
};

function fail(error: unknown): void {
  failed = true;
  scope.postMessage({ failure: error instanceof Error ? error.message : String(error) });
}

function look(): void {
  if (failed || !beats) return;
  try {
    beats.look();
  } catch (error) {
    fail(error);
  }
}

function carryOut(
  order: Order,
): { values?: Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>; counts?: number[] } {
  switch (order.op) {
    case "open": {
      library = MpiLibrary.open(order.kind, order.paths);
      const { rank, size } = library.initialise();
      world = library.handles.world;
      return { counts: [rank, size], values: new TextEncoder().encode(library.version()) };
    }
    case "watch":
      beats = new Heartbeats(library, order.rank, order.peers);
      setInterval(look, LOOK_MS);
      return {};
    case "gatherParts": {
      const { values, counts } = order, { byte, float } = library.handles;
      const type = values instanceof Float32Array ? float : byte;
      const Kind = values instanceof Float32Array ? Float32Array : Uint8Array;
      const all = new Kind(total(counts)), lengths = Int32Array.from(counts), at = offsets(counts);
      finish(
        [values, all, lengths, at],
        (mpi, request) =>
          mpi.MPI_Iallgatherv(values, values.length, type, all, lengths, at, type, world, request),
        all.length >= LARGE,
      );
      return { values: all };
    }
    case "exchange": {
      const { values } = order, { float } = library.handles;
      const sent = Int32Array.from(order.sent), received = Int32Array.from(order.received);
      const from = offsets(order.sent), to = offsets(order.received);
      const all = new Float32Array(total(order.received));
      finish(
        [values, all, sent, received, from, to],
        (mpi, request) =>
          mpi.MPI_Ialltoallv(values, sent, from, float, all, received, to, float, world, request),
        // Ranks send and receive differently much.
        true,
      );
      return { values: all };
    }
    case "sum": {
      const { values } = order, { float, sum } = library.handles, all = new Float32Array(values.length);
      finish(
        [values, all],
        (mpi, request) => mpi.MPI_Iallreduce(values, all, values.length, float, sum, world, request),
        all.length >= LARGE,
      );
      return { values: all };
    }
    case "broadcast": {
      const { values } = order, { float } = library.handles;
      finish(
        [values],
        (mpi, request) => mpi.MPI_Ibcast(values, values.length, float, 0, world, request),
        values.length >= LARGE,
      );
      return { values };
    }
    case "barrier":
      finish([], (mpi, request) => mpi.MPI_Ibarrier(world, request));
      return {};
    case "abort":
      library.abort();
      return {};
    case "close":
      beats?.stop();
      finish([], (mpi, request) => mpi.MPI_Ibarrier(world, request));
      settle();
      library.finalise();
      return {};
  }
}

/**
 * Lets what is under way arrive, on all ranks at once: in MPI_Finalize one rank may wait for the answer to a message, for ever, while the one
 * that should give it waits for all to get there and moves nothing any more (MPICH 4.0 over UCX).
 */
function settle(): void {
  const started = performance.now();
  while (performance.now() - started < SETTLING_MS || beats?.sending) {
    beats?.drain();
    Atomics.wait(never, 0, 0, NAP_MS);
  }
  beats = undefined;
}

/** Starts a call and stays until it is through; throws where a rank is not heard of meanwhile. All ranks must agree on what is `large`. */
function finish(
  uses: readonly ArrayBufferView[],
  call: Parameters<MpiLibrary["start"]>[1],
  large = false,
): void {
  if (large) finish([], (mpi, request) => mpi.MPI_Ibarrier(world, request));
  const request: Request = library.start(uses, call), started = performance.now();
  for (let tests = 0; !library.test(request); tests++) {
    if (tests < SPINS || (large && performance.now() - started < MOVING_MS)) continue;
    Atomics.wait(never, 0, 0, NAP_MS);
    beats?.look();
  }
}

function total(counts: readonly number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}

/** Where each part begins. */
function offsets(counts: readonly number[]): Int32Array<ArrayBuffer> {
  let at = 0;
  return Int32Array.from(counts, (count) => (at += count) - count);
}
