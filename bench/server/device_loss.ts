/**
 * Runs in a server's process before the server does (`deno run --preload`): on SIGUSR2 the thread of the newest device ends, as it does in a
 * crash. Nothing outside the process can end one of its threads.
 * @module
 */

const Plain = globalThis.Worker;
let newest: Worker | undefined;

globalThis.Worker = class extends Plain {
  constructor(specifier: string | URL, options?: WorkerOptions) {
    super(specifier, options);
    if (String(specifier).endsWith("/gpu_worker.ts")) newest = this;
  }
};

Deno.addSignalListener("SIGUSR2", () => newest?.terminate());
