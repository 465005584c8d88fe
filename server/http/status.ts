/**
 * What the server says about itself: `/health`, `/model`, `/metrics`.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import { basename } from "@std/path";
import { calibrationSchema, trainingRecordSchema, unknownRuleSchema } from "../../model/checkpoint/card.ts";
import { preprocessSchema } from "../../data/preprocess.ts";
import { type App, type AppContext, createPart, errorResponses, json, modelQuerySchema } from "./context.ts";
import { weightsAddress } from "./weights.ts";

const tags = ["Status"];

const healthSchema = z.object({
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

const modelSchema = z.object({
  name: z.string(),
  version: z.string(),
  model: z.string().openapi({ description: "The architecture." }),
  classes: z.array(z.string()),
  preprocess: preprocessSchema,
  parameters: z.int(),
  training: trainingRecordSchema.optional().openapi({
    description: "Where the weights come from: run, epoch, step, validation accuracy and confusion matrix.",
  }),
  calibration: calibrationSchema.optional().openapi({
    description: "What logits are divided by before the softmax, and the calibration error that it leaves.",
  }),
  unknown: unknownRuleSchema.optional().openapi({
    description: "When a photo is of none of the classes; absent where the model cannot tell.",
  }),
  adapter: z.string(),
  maxBatch: z.int(),
  loadedAt: z.iso.datetime(),
  path: z.string().openapi({ description: "The checkpoint's file name." }),
  weights: z.string().optional().openapi({
    description: "Where the checkpoint can be downloaded, if the server was started to give it.",
  }),
}).openapi("model");

/** The routes. */
export function statusRoutes(context: AppContext): App {
  const app = createPart();
  addHealth(app, context);
  addModel(app, context);
  addMetrics(app, context);
  return app;
}

function addHealth(app: App, { state, models }: AppContext): void {
  const route = createRoute({
    method: "get",
    path: "/health",
    tags,
    summary: "What the server is doing",
    responses: {
      200: json(healthSchema, "It can answer."),
      503: json(healthSchema, "It starts, recovers or shuts down."),
    },
  });
  app.openapi(route, (c) => {
    const { phase, ready } = state;
    const body: z.infer<typeof healthSchema> = {
      status: ready ? "ready" : phase === "serving" ? "unavailable" : phase,
      live: true,
      ready,
      models: models.index(),
      uptimeSeconds: Math.round(performance.now() / 1000),
    };
    return ready ? c.json(body, 200) : c.json(body, 503);
  });
}

function addModel(app: App, { models, engine }: AppContext): void {
  const route = createRoute({
    method: "get",
    path: "/model",
    tags,
    summary: "A model's card",
    request: { query: modelQuerySchema },
    responses: {
      200: json(modelSchema, "The card."),
      ...errorResponses(404, 503),
    },
  });
  app.openapi(route, (c) => {
    const { model, version } = c.req.valid("query");
    const { identity, classifier, loadedAt } = models.resolve(model, version);
    const { card, adapter, maxBatch } = classifier;
    return c.json({
      name: identity.name,
      version: identity.version,
      ...card,
      adapter,
      maxBatch,
      loadedAt: loadedAt.toISOString(),
      path: basename(identity.path), // the name alone: clients need not know where it lies
      ...engine !== undefined && { weights: weightsAddress(identity) },
    }, 200);
  });
}

function addMetrics(app: App, { metrics }: AppContext): void {
  const route = createRoute({
    method: "get",
    path: "/metrics",
    tags,
    summary: "Counts and timings for Prometheus",
    responses: {
      200: { description: "Prometheus' text format.", content: { "text/plain": { schema: z.string() } } },
    },
  });
  app.openapi(route, async (c) => {
    const { text, type } = await metrics.render();
    return c.text(text, 200, { "Content-Type": type });
  });
}
