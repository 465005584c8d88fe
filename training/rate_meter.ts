/** @module */

/** Images per second of training alone, validation left out. */
export class RateMeter {
  #from = 0;
  #images = 0;
  #seconds = 0;

  /** `images`: how many a step takes. */
  constructor(readonly images: number) {}

  /** An epoch's training begins. */
  start(): void {
    this.#from = performance.now();
    this.#images = this.#seconds = 0;
  }

  /** Steps done since the last call; returns the rate over them. */
  mark(steps: number): number {
    const now = performance.now();
    const seconds = (now - this.#from) / 1000;
    this.#from = now;
    this.#images += steps * this.images;
    this.#seconds += seconds;
    return steps * this.images / seconds;
  }

  /** The rate over the epoch. */
  epoch(): number {
    return this.#images / this.#seconds;
  }
}
