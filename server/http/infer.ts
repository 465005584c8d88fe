/**
 * Inference in the Open Inference Protocol, from tensors or photos: `POST /v2/models/{model}/infer`.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { RequestError } from "../inference/errors.ts";
import {
  type Answer,
  type InferInput,
  type InferRequest,
  inferRequestSchema,
  inferResponseSchema,
  INPUT_NAMES,
  writeInferResponse,
} from "../inference/infer_messages.ts";
import type { LoadedModel } from "../inference/served_model.ts";
import {
  type App,
  type AppContext,
  createPart,
  type Env,
  errorResponses,
  json,
  note,
  receive,
} from "./context.ts";
import type { RequestScope } from "./request.ts";
import { MODEL_PATHS, modelOf } from "./v2.ts";

/** The routes. */
export function inferRoutes(context: AppContext): App {
  const app = createPart();
  app.openAPIRegistry.register("inference_request", inferRequestSchema);
  for (const variant of MODEL_PATHS) addInfer(app, context, variant);
  return app;
}

function addInfer(app: App, context: AppContext, { base, params }: typeof MODEL_PATHS[number]): void {
  const { models } = context;
  app.openapi(
    createRoute({
      method: "post",
      path: `${base}/infer`,
      tags: ["Open Inference Protocol"],
      summary: "Infer from tensors or photos",
      description:
        `Exactly one input: "${INPUT_NAMES.tensor}", preprocessed, or "${INPUT_NAMES.photos}", encoded photos. ` +
        "With the binary tensor data extension, `Inference-Header-Content-Length` gives the length of the JSON before the data.",
      request: {
        params,
        headers: z.object({
          "inference-header-content-length": z.string().regex(/^\d{1,15}$/, "expected a number of bytes")
            .optional(),
        }),
        body: {
          required: true,
          // References describe; a zod schema would also make the framework read the body, without our limits.
          content: {
            "application/json": { schema: { $ref: "#/components/schemas/inference_request" } },
            "application/octet-stream": { schema: { type: "string", format: "binary" } },
          },
        },
      },
      responses: {
        200: json(inferResponseSchema, "The outputs."),
        ...errorResponses(400, 404, 408, 413, 415, 429, 503, 504),
      },
    }),
    async (c) => {
      const [name, version] = modelOf(c);
      models.resolve(name, version).batcher.refuseBeyond(1);
      using received = await receive(c, context);
      const headerLength = c.req.valid("header")["inference-header-content-length"];
      const request = await context.codec.readInfer(
        received.body,
        headerLength === undefined ? undefined : Number(headerLength),
      );
      const model = models.resolve(name, version);
      const answer = await infer(c, request, { context, model, scope: received.scope });
      const { body, headers } = writeInferResponse(model.identity, answer, request);
      // Typed as the JSON it is, unless binary data was asked for.
      return c.body(body, 200, headers) as never;
    },
  );
}

/** One row of logits and probabilities per input. Throws an `RequestError`, 400, for tensors that the model does not take. */
async function infer(
  c: Context<Env>,
  request: InferRequest,
  { context, model, scope }: { context: AppContext; model: LoadedModel; scope: RequestScope },
): Promise<Answer> {
  const input = chooseInput(request.inputs);
  const rows = input.datatype === "FP32" ? tensorRows(input, model) : photoRows(input);
  using places = model.batcher.reserve(rows.length);
  note(c, { model: model.identity.name, version: model.identity.version, inputs: rows.length });
  const { decoder, metrics } = context;
  const { signal } = scope;
  const answers = await Promise.all(rows.map(async (row) => {
    try {
      if (input.datatype === "FP32") {
        const timed = await places.infer(row, { signal });
        return { timed, logits: timed.value, probabilities: softmax(timed.value) };
      }
      const started = performance.now();
      const image = await model.decode(decoder, row, signal);
      metrics.observeStage("decode", performance.now() - started);
      const timed = await places.classify(image, { explain: false, signal });
      return { timed, logits: timed.value.logits, probabilities: timed.value.probabilities };
    } catch (error) {
      scope.abort(error as Error); // the other rows need not be computed
      throw error;
    }
  }));
  for (const { timed, logits, probabilities } of answers) {
    metrics.observeStage("queue", timed.queueMs);
    metrics.observeStage("compute", timed.computeMs);
    if (!logits.every(Number.isFinite) || !probabilities.every(Number.isFinite)) {
      throw new RequestError(
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
    throw new RequestError(
      400,
      `Cannot infer from the inputs ${names}: expected "${tensor}" (FP32) or "${photos}" (BYTES)`,
    );
  }
  const wanted = input.name === tensor ? "FP32" : "BYTES";
  if (input.datatype !== wanted) {
    throw new RequestError(
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
    throw new RequestError(
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
    throw new RequestError(
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
