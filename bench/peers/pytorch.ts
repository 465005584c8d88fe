/**
 * PyTorch as a contender, where `python3` has it: hands the same weights, input and labels to `pytorch.py` in files and passes the
 * requests on.
 * @module
 */
import { join } from "@std/path";
import { lines, type Reply, type Request, serveContender, type Work } from "./protocol.ts";
import {
  classesOf,
  COMPARED_STEPS,
  factors,
  images,
  labels,
  LEARNING_RATE,
  networkLayers,
  type Task,
} from "./workload.ts";

/** Where Python is looked for: one's own, which may have no PyTorch, and the distribution's. */
const PYTHONS = ["python3", "/usr/bin/python3"];

/** Says in the environment which of them has it, so that not every contender has to look. */
export const PYTHON = "PYTHON";

/** What a Python says of its PyTorch. */
export interface PyTorch {
  /** The Python that has it. */
  readonly python: string;
  /** Whether it has a CUDA device; TF32 is a question only there. */
  readonly cuda: boolean;
}

/** This machine's PyTorch, or undefined where there is none. */
export async function findPyTorch(): Promise<PyTorch | undefined> {
  const args = ["-c", "import json, torch; print(json.dumps({'cuda': torch.cuda.is_available()}))"];
  for (const python of PYTHONS) {
    try {
      const { success, stdout } = await new Deno.Command(python, { args, stderr: "null" }).output();
      if (success) return { python, ...JSON.parse(new TextDecoder().decode(stdout)) };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** `pytorch.py` in a process that ends when its standard input does. */
class Python {
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #replies: AsyncGenerator<string>;

  constructor(python: string, args: readonly string[]) {
    const process = new Deno.Command(python, {
      args: [join(import.meta.dirname!, "pytorch.py"), ...args],
      stdin: "piped",
      stdout: "piped",
      // All cores: where it finds a single one by itself, it also leaves its fast convolutions alone.
      env: { OMP_NUM_THREADS: String(navigator.hardwareConcurrency) },
    }).spawn();
    this.#input = process.stdin.getWriter();
    this.#replies = lines(process.stdout);
  }

  async ask(request: Request & { readonly folder?: string }): Promise<Exclude<Reply, { reply: "failed" }>> {
    // Where it has ended, the missing answer says so.
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`)).catch(() => {});
    const { value, done } = await this.#replies.next();
    if (done) throw new Error("pytorch.py ended");
    const reply = JSON.parse(value) as Reply;
    if (reply.reply === "failed") throw new Error(reply.message);
    return reply;
  }
}

/** Writes a task's job and values into the folder. */
async function writeJob(folder: string, task: Task): Promise<void> {
  let files = 0;
  const file = async (values: Float32Array, shape: readonly number[]) => {
    const name = `${files++}.f32`;
    await Deno.writeFile(
      join(folder, name),
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
    return { file: name, shape };
  };
  const job = async () => {
    if (task.kind === "product") {
      const { size } = task;
      return { factors: await Promise.all(factors(size).map((values) => file(values, [size, size]))) };
    }
    const { model, batch, size } = task;
    const layers = [];
    for (const { kind, options, relu, weight, bias } of networkLayers(model, size)) {
      layers.push({
        kind,
        options,
        relu,
        ...weight && { weight: await file(weight.values, weight.shape) },
        ...bias && { bias: await file(bias, [bias.length]) },
      });
    }
    return {
      layers,
      images: await file(images(batch, size), [batch, 3, size, size]),
      labels: [...labels(batch, classesOf(model))],
      learningRate: LEARNING_RATE,
      comparedSteps: COMPARED_STEPS,
    };
  };
  await Deno.writeTextFile(join(folder, "job.json"), JSON.stringify({ kind: task.kind, ...await job() }));
}

if (import.meta.main) {
  const python = new Python(Deno.env.get(PYTHON) ?? PYTHONS[0]!, Deno.args);
  const tf32 = Deno.args.includes("--tf32");
  await serveContender("PyTorch", async (task): Promise<Work> => {
    const folder = await Deno.makeTempDir({ prefix: "pytorch-" });
    try {
      await writeJob(folder, task);
      const prepared = await python.ask({ ask: "prepare", task, folder });
      if (prepared.reply !== "prepared") throw new Error(`pytorch.py answered ${prepared.reply}`);
      const { answer, adapter, library } = prepared;
      return {
        answer,
        adapter,
        library: tf32 ? `${library}, TF32` : library,
        async run(steps) {
          const ran = await python.ask({ ask: "run", steps });
          if (ran.reply !== "ran") throw new Error(`pytorch.py answered ${ran.reply}`);
        },
      };
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
