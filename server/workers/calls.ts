/**
 * Calls to a worker, both ends: a call has a number, moves its buffers instead of copying them, and is answered with a value or an error.
 * @module
 */
import { delay } from "@std/async/delay";
import type { Pause } from "../../engine/plan.ts";
import { DeviceLostError } from "../../model/inference/classifier_types.ts";
import { RequestError } from "../inference/errors.ts";

/** What a worker does on demand, by name; whatever its functions take and give is posted. */
export type WorkerApi<Api> = { readonly [Op in keyof Api]: (...args: never[]) => unknown };

type Result<Api extends WorkerApi<Api>, Op extends keyof Api> = Awaited<ReturnType<Api[Op]>>;

interface Call {
  readonly id: number;
  readonly op: string;
  readonly args: readonly unknown[];
}

/** Errors cross threads as what tells their kinds apart. */
interface PostedError {
  readonly name: string;
  readonly message: string;
  /** A `RequestError`'s. */
  readonly status?: number;
}

type Reply =
  & { readonly id: number }
  & ({ readonly value: unknown } | { readonly error: PostedError } | { readonly alive: true });

interface Pending {
  since: number;
  readonly onAlive: (() => void) | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The caller's end. */
export class WorkerCalls<Api extends WorkerApi<Api>> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #lastReply = performance.now();

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#settle(data);
  }

  /** Milliseconds since the worker last answered a call; 0 while one runs. */
  get quiet(): number {
    return this.#pending.size > 0 ? 0 : performance.now() - this.#lastReply;
  }

  /** Milliseconds for which the worker has not been heard of a call that runs; the longest of them, 0 when none runs. */
  get waiting(): number {
    const now = performance.now();
    return [...this.#pending.values()].reduce((longest, { since }) => Math.max(longest, now - since), 0);
  }

  /**
   * Has the worker do it; rejects with its error. `transfer` is given away. `onAlive` is called when a call that does not take its turn
   * (see `answerCalls`) has made progress.
   */
  call<Op extends keyof Api & string>(
    op: Op,
    args: Parameters<Api[Op]>,
    transfer: Transferable[] = [],
    onAlive?: () => void,
  ): Promise<Result<Api, Op>> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#worker.postMessage({ id, op, args } satisfies Call, transfer); // throws what cannot be posted
    this.#pending.set(id, { since: performance.now(), onAlive, resolve, reject });
    return promise as Promise<Result<Api, Op>>;
  }

  /** Ends the worker; calls that run reject with this error. */
  end(error: Error): void {
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #settle(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    this.#lastReply = performance.now();
    if ("alive" in reply) {
      if (pending === undefined) return;
      pending.since = this.#lastReply;
      return pending.onAlive?.();
    }
    this.#pending.delete(reply.id);
    if ("value" in reply) pending?.resolve(reply.value);
    else pending?.reject(restore(reply.error));
  }
}

/** Functions that share the thread with what has turns: each is given a pause, which takes the turn, or gives it away and takes it back. */
export type Asides<Api extends WorkerApi<Api>, Op extends keyof Api> = {
  readonly [Name in Op]: (pause: Pause, ...args: Parameters<Api[Name]>) => ReturnType<Api[Name]>;
};

/**
 * The worker's end: from now on calls to this thread are carried out one after the other, in the order they came. Those of `asides` begin
 * at once, without a turn; between two pauses they have one, and at each the calls that came meanwhile go first.
 */
export function answerCalls<Api extends WorkerApi<Api>, Aside extends keyof Api & string = never>(
  api: Omit<Api, Aside>,
  asides?: Asides<Api, Aside>,
): void {
  const scope = self as unknown as DedicatedWorkerGlobalScope;
  const others = new Map<string, (pause: Pause, ...args: never[]) => unknown>(Object.entries(asides ?? {}));
  let last = Promise.resolve();
  /** Waits for the turn; what it resolves with ends it. */
  const takeTurn = async (): Promise<() => void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = last;
    last = promise;
    await before;
    return resolve;
  };
  const answer = async (id: number, work: () => unknown) => {
    try {
      const value = await work();
      scope.postMessage({ id, value } satisfies Reply, [...buffersOf(value)]);
    } catch (error) {
      scope.postMessage({ id, error: describe(error) } satisfies Reply);
    }
  };
  scope.onmessage = async ({ data: { id, op, args } }: MessageEvent<Call>) => {
    const aside = others.get(op);
    let endTurn = aside === undefined ? await takeTurn() : () => {};
    const pause = async () => {
      endTurn();
      scope.postMessage({ id, alive: true } satisfies Reply);
      await delay(0); // calls arrive between tasks alone
      endTurn = await takeTurn();
    };
    const work = () =>
      aside ? aside(pause, ...args as never[]) : (api as Api)[op as keyof Api](...args as never[]);
    await answer(id, work);
    endTurn();
  };
}

/** The buffers in a value; a set, because several views may lie in one buffer, which can be moved only once. */
export function buffersOf(value: unknown, found: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) found.add(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) buffersOf(part, found);
  }
  return found;
}

function describe(error: unknown): PostedError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { name, message, ...(error instanceof RequestError ? { status: error.status } : {}) };
}

function restore({ name, message, status }: PostedError): Error {
  if (status !== undefined) return new RequestError(status, message);
  if (name === "DeviceLostError") return new DeviceLostError(message);
  return Object.assign(new Error(message), { name });
}
