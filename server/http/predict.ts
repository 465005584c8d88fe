/**
 * `POST /predict`: photos in, classes out.
 * @module
 */
import { PHOTO_FORMAT_NAMES, PHOTO_FORMATS } from "../../data/image/formats.ts";
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { evaluationMap } from "../../data/augment.ts";
import { ImageError } from "../../data/image/image.ts";
import { namedProbabilities } from "../../model/inference/classifier_types.ts";
import type { Reservation } from "../inference/batcher.ts";
import type { LoadedModel } from "../inference/served_model.ts";
import { FIELD, type UploadedPhoto } from "../inference/uploaded_photos.ts";
import {
  type App,
  type AppContext,
  createPart,
  type Env,
  errorResponses,
  json,
  modelQuerySchema,
  note,
  receive,
} from "./context.ts";
import type { RequestScope } from "./request.ts";

const querySchema = z.object({
  topk: z.coerce.number().int().positive().optional().openapi({
    description: "Tell only this many of the most probable classes.",
  }),
  explain: z.enum(["true", "false"]).optional().openapi({
    description: "Add a Grad-CAM overlay: a PNG in the photo's aspect ratio.",
  }),
  unknown: z.enum(["true", "false"]).optional().openapi({
    description: "Whether a photo may be answered as unknown where the model can tell (default: true).",
  }),
  ...modelQuerySchema.shape,
});

const predictionSchema = z.object({
  class: z.string().nullable().openapi({
    description: "The most probable class; null where the photo is unknown.",
    example: "panda",
  }),
  unknown: z.boolean().optional().openapi({
    description:
      "Whether the photo is of no class that the model knows; absent where the model cannot tell, or with unknown=false.",
    example: false,
  }),
  probability: z.number().min(0).max(1).openapi({
    description: "Of the most probable class, whether or not the photo is unknown.",
    example: 0.97,
  }),
  probabilities: z.array(
    z.object({ class: z.string(), probability: z.number().min(0).max(1) }).openapi("class_probability"),
  ).openapi({
    description: "The most probable class first; equally probable ones in the model's order.",
    example: [{ class: "panda", probability: 0.97 }, { class: "dog", probability: 0.02 }],
  }),
  file: z.string().optional().openapi({ description: "The file's name, where the form told it." }),
  overlay: z.string().optional().openapi({ description: "A data URL, with explain=true." }),
  model: z.string(),
  version: z.string(),
  milliseconds: z.object({
    decode: z.number().openapi({ description: "Decoding, with waiting for a decoder." }),
    queue: z.number().openapi({ description: "Waiting for the device and for others to share the pass." }),
    compute: z.number().openapi({ description: "The pass through the network, shared with its batch." }),
    overlay: z.number().optional().openapi({ description: "Painting the overlay, with explain=true." }),
    total: z.number().openapi({ description: "From the request's first byte to its answer." }),
  }).openapi("milliseconds"),
}).openapi("prediction");

const responseSchema = z.union([
  predictionSchema,
  z.object({ predictions: z.array(predictionSchema) }).openapi("predictions"),
]);

type Prediction = z.infer<typeof predictionSchema>;

const photo = { schema: { type: "string", format: "binary" } } as const;

const route = createRoute({
  method: "post",
  path: "/predict",
  tags: ["Predict"],
  summary: "Classify one or several photos",
  description:
    `${PHOTO_FORMAT_NAMES}, as the body or in a form, whose field may also be called images, photo, photos, file or files; several photos in one form share a pass.`,
  request: {
    query: querySchema,
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
        ...Object.fromEntries(PHOTO_FORMATS.map(({ type }) => [type, photo])),
      },
    },
  },
  responses: {
    200: json(responseSchema, "The prediction; with several photos `predictions`, in their order."),
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
  { model: name, version, topk, explain, unknown }: z.infer<typeof querySchema>,
): Promise<Prediction[]> {
  const { models, codec } = context;
  models.resolve(name, version).batcher.refuseBeyond(1);
  using received = await receive(c, context);
  const { body, scope } = received;
  const photos = await codec.findPhotos(body, c.req.header("content-type"), scope.signal);
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
        ...namedProbabilities(model.classifier.card.classes, answer.value, {
          ...topk !== undefined && { topk },
          refuse: unknown !== "false",
        }),
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
  photo: UploadedPhoto,
  explain: boolean,
  { context, scope, model, places }: {
    context: AppContext;
    scope: RequestScope;
    model: LoadedModel;
    places: Reservation;
  },
) {
  const { codec, decoder, metrics } = context;
  const { signal } = scope;
  const started = performance.now();
  const { preprocess } = model.classifier.card;
  const image = await model.decode(decoder, photo.bytes, signal);
  const decode = performance.now() - started;
  const size = { width: image.width, height: image.height };
  const { value, queueMs, computeMs } = await places.classify(image, { explain, signal });
  metrics.observeStage("decode", decode);
  metrics.observeStage("queue", queueMs);
  metrics.observeStage("compute", computeMs);
  const painting = performance.now();
  const overlay = value.heatmap === undefined ? undefined : await codec.paintOverlay({
    heatmap: value.heatmap,
    photo: size,
    input: preprocess,
    map: evaluationMap(size, preprocess, preprocess.resize),
  }, signal);
  return {
    value,
    overlay,
    milliseconds: {
      decode: round(decode),
      queue: round(queueMs),
      compute: round(computeMs),
      ...(overlay === undefined ? {} : { overlay: round(performance.now() - painting) }),
    },
  };
}

function withPlace(error: unknown, { file }: UploadedPhoto, i: number): unknown {
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
