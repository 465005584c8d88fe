/**
 * Asks contenders in turn, each in a process of its own that does not outlive this one.
 * @module
 */
import { join } from "@std/path";
import { stepsPerRound } from "../steps/steps.ts";
import { type Comparison, type ComparisonResult, type Measured, summarise } from "./comparisons.ts";
import { lines, type Reply, type Request } from "./protocol.ts";

/** A contender's name, its program and the configuration file that knows its libraries, both relative to this folder. */
export interface Contender {
  readonly name: string;
  readonly program: string;
  readonly config: string;
  /** What the program is started with. */
  readonly args?: readonly string[];
}

/** Everyone who takes part. */
export const CONTENDERS = [
  { name: "ours", program: "ours.ts", config: "../../deno.json" },
  { name: "tfjs", program: "tfjs.ts", config: "deno.json" },
  { name: "jax-js", program: "jax.ts", config: "deno.json" },
  { name: "pytorch", program: "pytorch.ts", config: "../../deno.json" },
  { name: "pytorch-tf32", program: "pytorch.ts", config: "../../deno.json", args: ["--tf32"] },
] as const satisfies readonly Contender[];

/** Processes that have not been ended. */
const running = new Set<Deno.ChildProcess>();

/** Exit codes by signal, as shells have them. Windows has no SIGTERM to listen for. */
const SIGNALS: readonly (readonly [Deno.Signal, number])[] = Deno.build.os === "windows"
  ? [["SIGINT", 130]]
  : [["SIGINT", 130], ["SIGTERM", 143]];

const listeners = SIGNALS.map(([signal, code]) => {
  const end = () => {
    for (const process of running) kill(process);
    Deno.exit(code);
  };
  return { signal, end };
});

/** Notes a process, to be ended when a signal ends this one. A process that dies otherwise closes the contenders' standard input. */
function note(process: Deno.ChildProcess): void {
  if (running.size === 0) { for (const { signal, end } of listeners) Deno.addSignalListener(signal, end); }
  running.add(process);
}

function forget(process: Deno.ChildProcess): void {
  if (running.delete(process) && running.size === 0) {
    for (const { signal, end } of listeners) Deno.removeSignalListener(signal, end);
  }
}

function kill(process: Deno.ChildProcess): void {
  try {
    process.kill("SIGKILL");
  } catch {
    // it has ended
  }
}

/** A contender in a process of its own. Dispose of it to end the process; a signal that ends this process ends it too. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<string>;

  constructor(readonly contender: Contender) {
    const path = (file: string) => join(import.meta.dirname!, file);
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "-A",
        "--config",
        path(contender.config),
        path(contender.program),
        ...contender.args ?? [],
      ],
      stdin: "piped",
      stdout: "piped",
      // Mesa prints an error for every device where this is unset.
      env: { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") ?? "/tmp" },
    }).spawn();
    note(this.#process);
    this.#stdin = this.#process.stdin.getWriter();
    this.#replies = lines(this.#process.stdout);
  }

  /** Asks and waits for the answer; throws what the contender says went wrong, or that it ended. */
  async ask(request: Request): Promise<Exclude<Reply, { reply: "failed" }>> {
    await this.#stdin.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`)).catch(() => {});
    const { value, done } = await this.#replies.next();
    if (done) throw new Error(`${this.contender.name} ended with code ${(await this.#process.status).code}`);
    const reply = JSON.parse(value) as Reply;
    if (reply.reply === "failed") throw new Error(`${this.contender.name}: ${reply.message}`);
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#replies.return(undefined).catch(() => {});
    kill(this.#process);
    await this.#process.status;
    forget(this.#process);
  }
}

/** Runs one comparison: everyone prepares, then rounds of about `milliseconds`, everyone in turn. `tell` hears of the progress. */
export async function compare(
  comparison: Comparison,
  { rounds, milliseconds }: { readonly rounds: number; readonly milliseconds: number },
  tell: (text: string) => void,
): Promise<ComparisonResult> {
  const { name, task, contenders } = comparison;
  await using children = new AsyncDisposableStack();
  const failures: string[] = [];
  const taking: { child: Child; measured: Measured & { milliseconds: number[] } }[] = [];
  for (const contender of CONTENDERS.filter((c) => contenders.includes(c.name))) {
    tell(`${name}: preparing ${contender.name}`);
    const child = children.use(new Child(contender));
    try {
      const prepared = await child.ask({ ask: "prepare", task });
      if (prepared.reply !== "prepared") throw new Error(`${contender.name} answered ${prepared.reply}`);
      // The second step alone: the first still compiles for some.
      await run(child, 1);
      const steps = stepsPerRound(await run(child, 1), milliseconds);
      const { library, adapter, answer } = prepared;
      taking.push({
        child,
        measured: { name: contender.name, library, adapter, answer, steps, milliseconds: [] },
      });
    } catch (error) {
      failures.push((error as Error).message);
      tell(`${name}: ${failures.at(-1)}`);
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { child, measured } of taking) {
      measured.milliseconds.push(await run(child, measured.steps) / measured.steps);
    }
    const told = taking.map(({ measured }) => `${measured.name} ${measured.milliseconds.at(-1)!.toFixed(1)}`);
    tell(`${name}: round ${round} of ${rounds}, ms a step: ${told.join(", ")}`);
  }
  return { comparison, failures, summaries: summarise(taking.map(({ measured }) => measured)) };
}

async function run(child: Child, steps: number): Promise<number> {
  const ran = await child.ask({ ask: "run", steps });
  if (ran.reply !== "ran") throw new Error(`${child.contender.name} answered ${ran.reply}`);
  return ran.milliseconds;
}
