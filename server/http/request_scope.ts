/**
 * How long a request may live: until its deadline, or until its client is gone.
 * @module
 */
import { ClientGoneError, DeadlineError } from "./errors.ts";

/** Aborts `signal` with a `DeadlineError` or a `ClientGoneError`; dispose of it when the request is answered. */
export class RequestScope implements Disposable {
  readonly #controller = new AbortController();
  readonly #client: AbortSignal;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onClientGone = () => this.abort(new ClientGoneError());

  constructor(client: AbortSignal) {
    this.#client = client;
    if (client.aborted) this.#onClientGone();
    else client.addEventListener("abort", this.#onClientGone, { once: true });
  }

  /** Starts the clock; kept apart from the constructor so that a slow upload does not eat the time to compute. */
  startDeadline(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.abort(new DeadlineError(milliseconds)), milliseconds);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends whatever still runs for this request. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#client.removeEventListener("abort", this.#onClientGone);
  }
}
