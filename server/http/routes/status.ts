/**
 * What the server says about itself: `/health`, `/model`, `/metrics`.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import { basename } from "@std/path";
import { type App, type AppContext, createPart } from "../context.ts";
import { errorResponses } from "../openapi.ts";
import { healthSchema, modelQuerySchema, modelSchema } from "../schemas.ts";

const tags = ["Status"];

/** The routes. */
export function statusRoutes(context: AppContext): App {
  const app = createPart();
  addHealth(app, context);
  addModel(app, context);
  addMetrics(app, context);
  return app;
}

function addHealth(app: App, { state, models }: AppContext): void {
  const content = { "application/json": { schema: healthSchema } };
  const route = createRoute({
    method: "get",
    path: "/health",
    tags,
    summary: "What the server is doing",
    responses: {
      200: { description: "It can answer.", content },
      503: { description: "It starts, recovers or shuts down.", content },
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

function addModel(app: App, { models }: AppContext): void {
  const route = createRoute({
    method: "get",
    path: "/model",
    tags,
    summary: "A model's card",
    request: { query: modelQuerySchema },
    responses: {
      200: { description: "The card.", content: { "application/json": { schema: modelSchema } } },
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
      path: basename(identity.path), // the name alone: where it lies is nobody's business
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
