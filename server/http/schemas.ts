/**
 * The JSON of the server's own routes.
 * @module
 */
import { z } from "@hono/zod-openapi";
import { preprocessSchema } from "../../model/checkpoint/card.ts";

/** How every failure is told, on every route. */
export const errorSchema = z.object({
  error: z.string().openapi({ example: "Cannot find a photo in the form: it has no field" }),
}).openapi("error");

/** The query of `POST /predict`. */
export const predictQuerySchema = z.object({
  topk: z.coerce.number().int().positive().optional().openapi({
    description: "Tell only this many of the most probable classes.",
  }),
  explain: z.enum(["true", "false"]).optional().openapi({
    description: "Add a Grad-CAM overlay: a PNG in the photo's aspect ratio.",
  }),
  model: z.string().optional().openapi({ description: "Which model to ask; default: the first one served." }),
  version: z.string().optional().openapi({
    description: "Which of its versions; default: the last one given.",
  }),
});

const millisecondsSchema = z.object({
  decode: z.number().openapi({ description: "Decoding, with waiting for a decoder." }),
  queue: z.number().openapi({ description: "Waiting for the device and for others to share the pass." }),
  compute: z.number().openapi({ description: "The pass through the network, shared with its batch." }),
  overlay: z.number().optional().openapi({ description: "Painting the overlay, with explain=true." }),
  total: z.number().openapi({ description: "From the request's first byte to its answer." }),
}).openapi("milliseconds");

/** The answer for one photo. */
export const predictionSchema = z.object({
  class: z.string().openapi({ example: "panda" }),
  probability: z.number().min(0).max(1).openapi({ example: 0.97 }),
  probabilities: z.record(z.string(), z.number()).openapi({
    description: "By class name, most probable first.",
    example: { panda: 0.97, dog: 0.02, bird: 0.01 },
  }),
  file: z.string().optional().openapi({ description: "The file's name, where the form told it." }),
  overlay: z.string().optional().openapi({ description: "A data URL, with explain=true." }),
  model: z.string(),
  version: z.string(),
  milliseconds: millisecondsSchema,
}).openapi("prediction");

/** The answer of `POST /predict`: one prediction, or a list where the form holds several photos. */
export const predictResponseSchema = z.union([
  predictionSchema,
  z.object({ predictions: z.array(predictionSchema) }).openapi("predictions"),
]);

/** The answer of `GET /health`. */
export const healthSchema = z.object({
  status: z.enum(["ready", "starting", "recovering", "draining", "unavailable"]),
  live: z.boolean(),
  ready: z.boolean(),
  models: z.array(z.object({
    name: z.string(),
    version: z.string().optional(),
    state: z.enum(["UNAVAILABLE", "LOADING", "READY"]),
    reason: z.string(),
  })),
  uptimeSeconds: z.number(),
}).openapi("health");

/** The query of `GET /model`. */
export const modelQuerySchema = predictQuerySchema.pick({ model: true, version: true });

/** The answer of `GET /model`: the model's card. */
export const modelSchema = z.object({
  name: z.string(),
  version: z.string(),
  model: z.string().openapi({ description: "The architecture." }),
  classes: z.array(z.string()),
  preprocess: preprocessSchema,
  parameters: z.int(),
  training: z.object({}).catchall(z.unknown()).optional().openapi({
    description: "Where the weights come from: run, epoch, step, validation accuracy and confusion matrix.",
  }),
  adapter: z.string(),
  maxBatch: z.int(),
  loadedAt: z.iso.datetime(),
  path: z.string().openapi({ description: "The checkpoint's file name." }),
}).openapi("model");
