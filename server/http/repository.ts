/**
 * Triton's model repository extension: which models there are, loading and unloading them.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { RequestError, UnavailableError } from "../inference/errors.ts";
import { parametersSchema } from "../inference/infer_request.ts";
import {
  type App,
  type AppContext,
  createPart,
  type Env,
  errorResponses,
  hasBody,
  json,
  receive,
} from "./context.ts";

const tags = ["Model repository"];

const indexRequestSchema = z.object({ ready: z.boolean().optional() }).openapi("repository_index_request");

const indexResponseSchema = z.array(z.object({
  name: z.string(),
  version: z.string().optional(),
  state: z.enum(["UNAVAILABLE", "LOADING", "READY"]),
  reason: z.string(),
})).openapi("repository_index_response");

/** `$repository_load_request` and `$repository_unload_request`. */
const actionRequestSchema = z.object({ parameters: parametersSchema.optional() }).openapi(
  "repository_request",
);

/** The routes. */
export function repositoryRoutes(context: AppContext): App {
  const app = createPart();
  addIndex(app, context);
  addAction(app, context, "load", "Load a model, or load it again", (name) => context.models.load(name));
  addAction(app, context, "unload", "Take a model out of service", (name) => context.models.unload(name));
  return app;
}

function addIndex(app: App, context: AppContext): void {
  const route = createRoute({
    method: "post",
    path: "/v2/repository/index",
    tags,
    summary: "Every model and its state",
    // Described by reference: a zod schema would make the framework refuse the empty bodies that clients send.
    request: {
      body: {
        content: {
          "application/json": { schema: { $ref: "#/components/schemas/repository_index_request" } },
        },
      },
    },
    responses: {
      200: json(indexResponseSchema, "The models."),
      ...errorResponses(400, 413),
    },
  });
  app.openAPIRegistry.register("repository_index_request", indexRequestSchema);
  app.openapi(route, async (c) => {
    const { ready } = await optionalJson(c, context, indexRequestSchema);
    const known = await context.models.list();
    return c.json(ready ? known.filter(({ state }) => state === "READY") : known, 200);
  });
}

function addAction(
  app: App,
  context: AppContext,
  verb: "load" | "unload",
  summary: string,
  act: (name: string) => Promise<void>,
): void {
  const route = createRoute({
    method: "post",
    path: `/v2/repository/models/{model}/${verb}` as const,
    tags,
    summary,
    request: {
      params: z.object({ model: z.string() }),
      body: {
        content: { "application/json": { schema: { $ref: "#/components/schemas/repository_request" } } },
      },
    },
    responses: {
      200: { description: "Done." },
      ...errorResponses(400, 401, 403, 404, 413, 503),
    },
  });
  app.openAPIRegistry.register("repository_request", actionRequestSchema);
  app.openapi(route, async (c) => {
    context.checkChange(c);
    const { parameters } = await optionalJson(c, context, actionRequestSchema);
    const unknown = Object.keys(parameters ?? {}).find((key) => key !== "unload_dependents");
    if (unknown !== undefined) {
      throw new RequestError(
        400,
        `Cannot ${verb} the model with the parameter ${JSON.stringify(unknown)}: it is not known`,
      );
    }
    try {
      await act(c.req.param("model")!);
    } catch (error) {
      if (error instanceof RequestError) throw error;
      if (context.state.phase !== "serving") throw new UnavailableError((error as Error).message);
      throw new RequestError(400, (error as Error).message);
    }
    return c.body(null, 200);
  });
}

/** Parsing more would hold up other requests, and no request needs it. */
const MAX_BODY = 10_000;

/** The body's JSON; an empty body means an empty object. */
async function optionalJson<T extends z.ZodType>(
  c: Context<Env>,
  context: AppContext,
  schema: T,
): Promise<z.infer<T>> {
  let json: unknown = {};
  if (hasBody(c)) {
    using received = await receive(c, context);
    if (received.body.length > MAX_BODY) {
      throw new RequestError(413, `Cannot take the request: it has more than ${MAX_BODY} bytes`);
    }
    const text = new TextDecoder().decode(received.body);
    try {
      if (text.trim() !== "") json = JSON.parse(text);
    } catch (error) {
      throw new RequestError(
        400,
        `Cannot read the request: it is not JSON (${(error as Error).message.slice(0, 200)})`,
      );
    }
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    throw new RequestError(
      400,
      `Cannot read the request: ${z.prettifyError(parsed.error).replaceAll("\n", " ").slice(0, 500)}`,
    );
  }
  return parsed.data;
}
