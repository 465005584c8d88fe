/**
 * The Open Inference Protocol (REST), version 2: health, metadata and inference.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type App, type AppContext, createPart, type Env } from "../context.ts";
import { HttpError } from "../errors.ts";
import { infer, INPUT_NAMES } from "../infer.ts";
import { OUTPUT_NAMES, selectOutputs, writeInferResponse } from "../infer_response.ts";
import {
  inferRequestSchema,
  inferResponseSchema,
  liveSchema,
  modelMetadataSchema,
  modelReadySchema,
  readySchema,
  serverMetadataSchema,
} from "../infer_schemas.ts";
import type { LoadedModel } from "../../inference/loaded_model.ts";
import { errorResponses, INFO } from "../openapi.ts";
import { receiveBody } from "../receive.ts";
import { RequestScope } from "../request_scope.ts";

const tags = ["Open Inference Protocol"];
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const modelParams = z.object({ model: z.string().openapi({ description: "The model's name." }) });
const versionParams = modelParams.extend({
  version: z.string().openapi({ description: "One of its versions." }),
});

/** The same route without and with a version in its path. */
const VARIANTS = [
  { base: "/v2/models/{model}", params: modelParams },
  { base: "/v2/models/{model}/versions/{version}", params: versionParams },
] as const;

/** The routes. */
export function v2Routes(context: AppContext): App {
  const app = createPart();
  addServerRoutes(app, context);
  for (const variant of VARIANTS) addModelRoutes(app, context, variant);
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

function addModelRoutes(app: App, context: AppContext, { base, params }: typeof VARIANTS[number]): void {
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
      const model = models.resolve(...asked(c));
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
      const [name, version] = asked(c);
      const ready = state.ready && isLoaded(context, name, version);
      return ready ? c.json({ name, ready: true }, 200) : c.json({ name, ready: false }, 503);
    },
  );
  app.openapi(
    createRoute({
      method: "post",
      path: `${base}/infer`,
      tags,
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
      const [name, version] = asked(c);
      models.resolve(name, version).batcher.refuseBeyond(1);
      using scope = new RequestScope(c.req.raw.signal);
      using received = await receiveBody(c, context);
      scope.startDeadline(context.limits.timeoutMs);
      const headerLength = c.req.valid("header")["inference-header-content-length"];
      const request = await context.codec.readInfer(
        received.bytes,
        headerLength === undefined ? undefined : Number(headerLength),
      );
      const model = models.resolve(name, version);
      const answer = await infer(c, request, { context, model, scope });
      const head = {
        model_name: model.identity.name,
        model_version: model.identity.version,
        ...(request.id === undefined ? {} : { id: request.id }),
      };
      const { body, headers } = writeInferResponse(head, selectOutputs(answer, request));
      // Typed as the JSON it is, unless binary data was asked for.
      return c.body(body, 200, headers) as never;
    },
  );
  app.openAPIRegistry.register("inference_request", inferRequestSchema);
}

function asked(c: Context<Env>): [name: string, version: string | undefined] {
  return [c.req.param("model")!, c.req.param("version")];
}

function isLoaded({ models }: AppContext, name: string, version: string | undefined): boolean {
  try {
    models.resolve(name, version);
    return true;
  } catch (error) {
    if (error instanceof HttpError && error.status === 503) return false;
    throw error;
  }
}

function describe({ identity, classifier }: LoadedModel) {
  const { classes, preprocess: { height, width } } = classifier.card;
  const datatypes = { logits: "FP32", probabilities: "FP32", class: "BYTES" } as const;
  return {
    name: identity.name,
    platform: "webgpu_wgsl",
    inputs: [
      { name: INPUT_NAMES.tensor, datatype: "FP32" as const, shape: [-1, 3, height, width] },
      { name: INPUT_NAMES.photos, datatype: "BYTES" as const, shape: [-1] },
    ],
    outputs: OUTPUT_NAMES.map((name) => ({
      name,
      datatype: datatypes[name],
      shape: name === "class" ? [-1] : [-1, classes.length],
    })),
  };
}
