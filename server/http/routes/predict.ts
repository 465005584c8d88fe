/**
 * `POST /predict`: photos in, classes out.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { evaluationMap } from "../../../data/augment.ts";
import { ImageError } from "../../../data/image/image.ts";
import { decodeSide } from "../../../model/checkpoint/card.ts";
import type { Classification } from "../../../model/inference/classifier_types.ts";
import type { Reservation, Timed } from "../../inference/batcher.ts";
import { type App, type AppContext, createPart, type Env, note } from "../context.ts";
import type { LoadedModel } from "../../inference/loaded_model.ts";
import { errorResponses } from "../openapi.ts";
import { FIELD, type PhotoInput } from "../../workers/photo_input.ts";
import { receiveBody } from "../receive.ts";
import { RequestScope } from "../request_scope.ts";
import { predictionSchema, predictQuerySchema, predictResponseSchema } from "../schemas.ts";

type Prediction = z.infer<typeof predictionSchema>;

const photo = { schema: { type: "string", format: "binary" } } as const;

const route = createRoute({
  method: "post",
  path: "/predict",
  tags: ["Predict"],
  summary: "Classify one or several photos",
  description: "JPEG, PNG, GIF or TIFF, as the body or in a form; several photos in one form share a pass.",
  request: {
    query: predictQuerySchema,
    body: {
      required: true,
      // Plain schemas describe; a zod schema would also make the framework read the body, without our limits.
      content: {
        "multipart/form-data": {
          schema: {
            type: "object",
            required: [FIELD],
            properties: { [FIELD]: { type: "array", items: { type: "string", format: "binary" } } },
          },
        },
        "image/jpeg": photo,
        "image/png": photo,
        "image/gif": photo,
        "image/tiff": photo,
      },
    },
  },
  responses: {
    200: {
      description: "The prediction; with several photos `predictions`, in their order.",
      content: { "application/json": { schema: predictResponseSchema } },
    },
    ...errorResponses(400, 404, 408, 413, 415, 429, 503, 504),
  },
});

/** The route. */
export function predictRoutes(context: AppContext): App {
  return createPart().openapi(route, async (c) => {
    const query = c.req.valid("query");
    const answers = await predict(c, context, query);
    return c.json(answers.length === 1 ? answers[0]! : { predictions: answers }, 200);
  });
}

async function predict(
  c: Context<Env>,
  context: AppContext,
  { model: name, version, topk, explain }: z.infer<typeof predictQuerySchema>,
): Promise<Prediction[]> {
  const { models, codec, limits } = context;
  models.resolve(name, version).batcher.refuseBeyond(1);
  using scope = new RequestScope(c.req.raw.signal);
  using body = await receiveBody(c, context);
  scope.startDeadline(limits.timeoutMs);
  const photos = await codec.findPhotos(body.bytes, c.req.header("content-type"));
  // Asked again: the model may have been replaced while the body came.
  const model = models.resolve(name, version);
  using places = model.batcher.reserve(photos.length);
  const { name: modelName, version: modelVersion } = model.identity;
  note(c, { model: modelName, version: modelVersion, photos: photos.length });
  const answers = await Promise.all(photos.map(async (photo, i) => {
    try {
      const answer = await classify(photo, explain === "true", { context, scope, model, places });
      const total = round(performance.now() - c.get("started"));
      return {
        ...namedProbabilities(model.classifier.card.classes, answer.probabilities, topk),
        ...(photo.file === undefined ? {} : { file: photo.file }),
        ...(answer.overlay === undefined ? {} : { overlay: answer.overlay }),
        model: modelName,
        version: modelVersion,
        milliseconds: { ...answer.milliseconds, total },
      };
    } catch (error) {
      // One failure is the request's answer: the other photos need not be computed.
      scope.abort(error as Error);
      throw photos.length > 1 ? withPlace(error, photo, i) : error;
    }
  }));
  note(c, { milliseconds: answers.length === 1 ? answers[0]!.milliseconds : undefined });
  return answers;
}

async function classify(
  photo: PhotoInput,
  explain: boolean,
  { context, scope, model, places }: {
    context: AppContext;
    scope: RequestScope;
    model: LoadedModel;
    places: Reservation;
  },
) {
  const { codec, metrics } = context;
  const { signal } = scope;
  const started = performance.now();
  const { preprocess } = model.classifier.card;
  const image = await decodeFor(model, photo.bytes, context, signal);
  const decode = performance.now() - started;
  const size = { width: image.width, height: image.height };
  const { value, queueMs, computeMs }: Timed<Classification> = await places.classify(image, {
    explain,
    signal,
  });
  metrics.stages.observe({ stage: "decode" }, decode / 1000);
  metrics.stages.observe({ stage: "queue" }, queueMs / 1000);
  metrics.stages.observe({ stage: "compute" }, computeMs / 1000);
  const painting = performance.now();
  const overlay = value.heatmap === undefined ? undefined : await codec.paintOverlay({
    heatmap: value.heatmap,
    photo: size,
    input: preprocess,
    map: evaluationMap(size, preprocess, preprocess.resize),
  });
  return {
    probabilities: value.probabilities,
    overlay,
    milliseconds: {
      decode: round(decode),
      queue: round(queueMs),
      compute: round(computeMs),
      ...(overlay === undefined ? {} : { overlay: round(performance.now() - painting) }),
    },
  };
}

/** Decodes a photo, no larger than the model has use for: many large ones would fill the memory. */
export function decodeFor(
  model: LoadedModel,
  bytes: Uint8Array,
  { decoder }: Pick<AppContext, "decoder">,
  signal: AbortSignal,
) {
  return decoder.decode(bytes, { shorterSide: decodeSide(model.classifier.card.preprocess), signal });
}

function namedProbabilities(classes: readonly string[], probabilities: Float32Array, topk = classes.length) {
  const ranked = classes.map((name, k) => [name, probabilities[k]!] as const).sort((a, b) => b[1] - a[1]);
  const [best] = ranked;
  return { class: best![0], probability: best![1], probabilities: Object.fromEntries(ranked.slice(0, topk)) };
}

function withPlace(error: unknown, { file }: PhotoInput, i: number): unknown {
  if (!(error instanceof ImageError)) return error;
  return new ImageError(
    error.code,
    `Photo ${i + 1}${file ? ` (${JSON.stringify(file)})` : ""}: ${error.message}`,
  );
}

/** Milliseconds to two decimals: more is noise. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100;
}
