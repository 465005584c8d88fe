/**
 * Inference in the Open Inference Protocol, from tensors or photos: `POST /v2/models/{model}/infer`.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { largestInput } from "../../data/preprocess.ts";
import { RequestError } from "../inference/errors.ts";
import {
  type InferInput,
  type InferRequest,
  inferRequestSchema,
  INPUT_NAMES,
  type ModelInput,
} from "../inference/infer_request.ts";
import { type Answer, inferResponseSchema, writeInferResponse } from "../inference/infer_response.ts";
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

/**
 * A tensor's numbers may be this many times as large as a photo's. That lets pixels through that someone forgot to scale, and is far
 * from what makes sums within the network overflow: infinities there can cancel into NaN, which a ReLU hides from the answer.
 */
const HEADROOM = 1000;

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
      // Asked again: the model may have been replaced while the body came.
      const model = models.resolve(name, version);
      const request = await context.codec.readInfer(
        received.body,
        headerLength === undefined ? undefined : Number(headerLength),
        { model: inputOf(model), signal: received.scope.signal },
      );
      const answer = await infer(c, request, { context, model, scope: received.scope });
      const { body, headers } = writeInferResponse(model.identity, answer, request);
      // Typed as the JSON it is, unless binary data was asked for.
      return c.body(body, 200, headers) as never;
    },
  );
}

/** One row of logits and probabilities per input. Throws a `RequestError`, 400, where they are not finite. */
async function infer(
  c: Context<Env>,
  request: InferRequest,
  { context, model, scope }: { context: AppContext; model: LoadedModel; scope: RequestScope },
): Promise<Answer> {
  const { input } = request;
  const rows = rowsOf(input);
  using places = model.batcher.reserve(rows.length);
  note(c, { model: model.identity.name, version: model.identity.version, inputs: rows.length });
  const { decoder, metrics } = context;
  const { signal } = scope;
  const answers = await Promise.all(rows.map(async (row) => {
    try {
      if (input.datatype === "FP32") {
        const timed = await places.infer(row, { signal });
        return { timed, ...timed.value };
      }
      const started = performance.now();
      const image = await model.decode(decoder, row, signal);
      metrics.observeStage("decode", performance.now() - started);
      const timed = await places.classify(image, { explain: false, signal });
      return { timed, ...timed.value };
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
    unknown: model.classifier.card.unknown && answers.map((answer) => answer.unknown ?? false),
  };
}

/** What a request to this model may hold. */
function inputOf({ classifier, batcher }: LoadedModel): ModelInput {
  const { preprocess } = classifier.card;
  const { height, width } = preprocess;
  return { height, width, places: batcher.places, largest: HEADROOM * largestInput(preprocess) };
}

function rowsOf({ datatype, data, shape }: InferInput): readonly Uint8Array<ArrayBuffer>[] {
  if (datatype === "BYTES") return data;
  const [batch] = shape;
  if (batch === 1) return [data];
  const size = data.length / batch!;
  // Rows may end up in different passes, and each is given away to its own.
  return Array.from({ length: batch! }, (_, n) => data.slice(n * size, (n + 1) * size));
}
