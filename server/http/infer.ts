/**
 * Carries out an inference request on a model.
 * @module
 */
import { type AppContext, type Env, note } from "./context.ts";
import type { Context } from "hono";
import { HttpError } from "./errors.ts";
import type { InferInput, InferRequest } from "./infer_request.ts";
import type { Answer } from "./infer_response.ts";
import type { LoadedModel } from "../inference/loaded_model.ts";
import { decodeFor } from "./routes/predict.ts";
import type { RequestScope } from "./request_scope.ts";

/** The model's inputs: one of them comes with each request. */
export const INPUT_NAMES = { tensor: "input", photos: "image" } as const;

/** One row of logits and probabilities per input. Throws an `HttpError`, 400, for tensors that the model does not take. */
export async function infer(
  c: Context<Env>,
  request: InferRequest,
  { context, model, scope }: { context: AppContext; model: LoadedModel; scope: RequestScope },
): Promise<Answer> {
  const input = chooseInput(request.inputs);
  const rows = input.datatype === "FP32" ? tensorRows(input, model) : photoRows(input);
  using places = model.batcher.reserve(rows.length);
  note(c, { model: model.identity.name, version: model.identity.version, inputs: rows.length });
  const { metrics } = context;
  const { signal } = scope;
  const answers = await Promise.all(rows.map(async (row) => {
    try {
      if (input.datatype === "FP32") {
        const timed = await places.infer(row, { signal });
        return { timed, logits: timed.value, probabilities: softmax(timed.value) };
      }
      const started = performance.now();
      const image = await decodeFor(model, row, context, signal);
      metrics.stages.observe({ stage: "decode" }, (performance.now() - started) / 1000);
      const timed = await places.classify(image, { explain: false, signal });
      return { timed, logits: timed.value.logits, probabilities: timed.value.probabilities };
    } catch (error) {
      scope.abort(error as Error); // the other rows need not be computed
      throw error;
    }
  }));
  for (const { timed, logits, probabilities } of answers) {
    metrics.stages.observe({ stage: "queue" }, timed.queueMs / 1000);
    metrics.stages.observe({ stage: "compute" }, timed.computeMs / 1000);
    if (!logits.every(Number.isFinite) || !probabilities.every(Number.isFinite)) {
      throw new HttpError(
        400,
        "Cannot answer: the input's values are so large that the network's are not finite",
      );
    }
  }
  return {
    classes: model.classifier.card.classes,
    logits: answers.map((answer) => answer.logits),
    probabilities: answers.map((answer) => answer.probabilities),
  };
}

function chooseInput(inputs: readonly InferInput[]): InferInput {
  const [input, another] = inputs;
  const { tensor, photos } = INPUT_NAMES;
  if (input === undefined || another !== undefined || (input.name !== tensor && input.name !== photos)) {
    const names = inputs.map(({ name }) => JSON.stringify(name)).join(", ");
    throw new HttpError(
      400,
      `Cannot infer from the inputs ${names}: expected "${tensor}" (FP32) or "${photos}" (BYTES)`,
    );
  }
  const wanted = input.name === tensor ? "FP32" : "BYTES";
  if (input.datatype !== wanted) {
    throw new HttpError(
      400,
      `Cannot infer: input "${input.name}" has the datatype ${input.datatype}, expected ${wanted}`,
    );
  }
  return input;
}

function tensorRows(
  input: Extract<InferInput, { datatype: "FP32" }>,
  model: LoadedModel,
): Uint8Array<ArrayBuffer>[] {
  const { height, width } = model.classifier.card.preprocess;
  const [batch, ...rest] = input.shape;
  const wanted = [3, height, width];
  if (!batch || rest.length !== 3 || rest.some((length, i) => length !== wanted[i])) {
    throw new HttpError(
      400,
      `Cannot infer: input "${input.name}" has the shape [${input.shape}], expected [n,${wanted}]`,
    );
  }
  if (batch === 1) return [input.data];
  const size = 4 * 3 * height * width;
  // Rows may end up in different passes, and each is given away to its own.
  return Array.from({ length: batch }, (_, n) => input.data.slice(n * size, (n + 1) * size));
}

function photoRows(
  input: Extract<InferInput, { datatype: "BYTES" }>,
): readonly Uint8Array<ArrayBuffer>[] {
  const [batch, one = 1, ...rest] = input.shape;
  if (!batch || one !== 1 || rest.length > 0) {
    throw new HttpError(
      400,
      `Cannot infer: input "${input.name}" has the shape [${input.shape}], expected [n] or [n,1]`,
    );
  }
  return input.data;
}

/** exp(logit - max) over its sum. */
function softmax(logits: Float32Array): Float32Array {
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const exps = logits.map((logit) => Math.exp(logit - max));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / sum);
}
