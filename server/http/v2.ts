/**
 * The Open Inference Protocol (REST), version 2: what there is and whether it is ready. `infer.ts` has the inference itself.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { RequestError } from "../inference/errors.ts";
import { INPUT_NAMES } from "../inference/infer_request.ts";
import { OUTPUT_TYPES, outputNames } from "../inference/infer_response.ts";
import type { LoadedModel } from "../inference/served_model.ts";
import { type App, type AppContext, createPart, type Env, errorResponses, INFO, json } from "./context.ts";

const tags = ["Open Inference Protocol"];

const modelParams: z.ZodObject<{ model: z.ZodString }> = z.object({
  model: z.string().openapi({ description: "The model's name." }),
});
const versionParams: z.ZodObject<{ model: z.ZodString; version: z.ZodString }> = modelParams.extend({
  version: z.string().openapi({ description: "One of its versions." }),
});

/** Where a model is: the same routes without and with a version in their path. */
export const MODEL_PATHS: readonly [
  { readonly base: "/v2/models/{model}"; readonly params: typeof modelParams },
  { readonly base: "/v2/models/{model}/versions/{version}"; readonly params: typeof versionParams },
] = [
  { base: "/v2/models/{model}", params: modelParams },
  { base: "/v2/models/{model}/versions/{version}", params: versionParams },
];

/** Name and version in the path of a request to one of `MODEL_PATHS`. */
export function modelOf(c: Context<Env>): [name: string, version: string | undefined] {
  return [c.req.param("model")!, c.req.param("version")];
}

const serverMetadataSchema = z.object({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()),
}).openapi("metadata_server_response");

const tensorMetadataSchema = z.object({
  name: z.string(),
  datatype: z.enum(["FP32", "BYTES", "BOOL"]),
  shape: z.array(z.int()).openapi({ description: "-1 where the size may vary." }),
}).openapi("metadata_tensor");

const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()).optional(),
  platform: z.string(),
  inputs: z.array(tensorMetadataSchema),
  outputs: z.array(tensorMetadataSchema),
}).openapi("metadata_model_response");

const liveSchema = z.object({ live: z.boolean() }).openapi("live_server_response");

const readySchema = z.object({ live: z.boolean(), ready: z.boolean() }).openapi("ready_server_response");

const modelReadySchema = z.object({ name: z.string(), ready: z.boolean() }).openapi("ready_model_response");

/** The routes. */
export function v2Routes(context: AppContext): App {
  const app = createPart();
  addServerRoutes(app, context);
  for (const variant of MODEL_PATHS) addModelRoutes(app, context, variant);
  return app;
}

function addServerRoutes(app: App, { state }: AppContext): void {
  app.openapi(
    createRoute({
      method: "get",
      path: "/v2",
      tags,
      summary: "Server metadata",
      responses: { 200: json(serverMetadataSchema, "Name, version and extensions.") },
    }),
    (c) => {
      const extensions = ["binary_tensor_data", "classification", "model_repository"];
      return c.json({ name: "alexnet-webgpu", version: INFO.version, extensions }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v2/health/live",
      tags,
      summary: "Whether the server runs",
      responses: { 200: json(liveSchema, "It does.") },
    }),
    (c) => c.json({ live: true }, 200),
  );
  app.openapi(
    createRoute({
      method: "get",
      path: "/v2/health/ready",
      tags,
      summary: "Whether the device answers and every model is loaded",
      responses: {
        200: json(readySchema, "It can answer."),
        503: json(readySchema, "It starts, recovers from the loss of its device, or shuts down."),
      },
    }),
    (c) => state.ready ? c.json({ live: true, ready: true }, 200) : c.json({ live: true, ready: false }, 503),
  );
}

function addModelRoutes(app: App, context: AppContext, { base, params }: typeof MODEL_PATHS[number]): void {
  const { models, state } = context;
  app.openapi(
    createRoute({
      method: "get",
      path: base,
      tags,
      summary: "Model metadata",
      request: { params },
      responses: { 200: json(modelMetadataSchema, "Inputs and outputs."), ...errorResponses(404, 503) },
    }),
    (c) => {
      const model = models.resolve(...modelOf(c));
      const versions = models.models.filter((other) => other.identity.name === model.identity.name);
      return c.json({ ...describe(model), versions: versions.map((other) => other.identity.version) }, 200);
    },
  );
  app.openapi(
    createRoute({
      method: "get",
      path: `${base}/ready`,
      tags,
      summary: "Whether a model can answer",
      request: { params },
      responses: {
        200: json(modelReadySchema, "It can."),
        503: json(modelReadySchema, "It cannot now."),
        ...errorResponses(404),
      },
    }),
    (c) => {
      const [name, version] = modelOf(c);
      const ready = state.ready && isLoaded(context, name, version);
      return ready ? c.json({ name, ready: true }, 200) : c.json({ name, ready: false }, 503);
    },
  );
}

function isLoaded({ models }: AppContext, name: string, version: string | undefined): boolean {
  try {
    models.resolve(name, version);
    return true;
  } catch (error) {
    if (error instanceof RequestError && error.status === 503) return false;
    throw error;
  }
}

function describe({ identity, classifier }: LoadedModel) {
  const { classes, unknown, preprocess: { height, width } } = classifier.card;
  return {
    name: identity.name,
    platform: "webgpu_wgsl",
    inputs: [
      { name: INPUT_NAMES.tensor, datatype: "FP32" as const, shape: [-1, 3, height, width] },
      { name: INPUT_NAMES.photos, datatype: "BYTES" as const, shape: [-1] },
    ],
    outputs: outputNames(unknown !== undefined).map((name) => ({
      name,
      datatype: OUTPUT_TYPES[name],
      shape: OUTPUT_TYPES[name] === "FP32" ? [-1, classes.length] : [-1],
    })),
  };
}
