/**
 * The JSON of the Open Inference Protocol (REST), version 2, as published at github.com/kserve/open-inference-protocol.
 * @module
 */
import { z } from "@hono/zod-openapi";

/** Key and value pairs; the keys that this server understands are typed where they are used. */
const parameterSchema = z.union([z.string(), z.number(), z.boolean()]);
const parametersSchema = z.record(z.string(), parameterSchema).openapi("parameters");

const tensorDataSchema = z.unknown().openapi("tensor_data", {
  type: "array",
  items: {},
  description: "Row-major, flat or nested as the shape says: numbers for FP32, base64 text for BYTES.",
});

const datatypeSchema = z.enum(["FP32", "BYTES"]);

const requestInputSchema = z.object({
  name: z.string().openapi({ example: "input" }),
  shape: z.array(z.int().nonnegative()).min(1).max(8).openapi({ example: [1, 3, 224, 224] }),
  datatype: z.string().openapi({ example: "FP32" }),
  parameters: parametersSchema.and(z.object({ binary_data_size: z.int().nonnegative().optional() }))
    .optional(),
  data: tensorDataSchema.optional(),
}).openapi("request_input");

const requestOutputSchema = z.object({
  name: z.string().openapi({ example: "probabilities" }),
  parameters: z.object({
    binary_data: z.boolean().optional(),
    classification: z.int().positive().optional(),
  }).catchall(parameterSchema).optional(),
}).openapi("request_output");

/** `$inference_request`. */
export const inferRequestSchema = z.object({
  id: z.string().optional(),
  parameters: z.object({ binary_data_output: z.boolean().optional() }).catchall(parameterSchema).optional(),
  inputs: z.array(requestInputSchema).min(1).max(16),
  outputs: z.array(requestOutputSchema).max(16).optional(),
}).openapi("inference_request");

/** `$inference_response`. */
export const inferResponseSchema = z.object({
  model_name: z.string(),
  model_version: z.string().optional(),
  id: z.string().optional(),
  parameters: parametersSchema.optional(),
  outputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(z.int()),
      datatype: datatypeSchema,
      parameters: parametersSchema.optional(),
      data: tensorDataSchema.optional(),
    }).openapi("response_output"),
  ),
}).openapi("inference_response");

/** `$metadata_server_response`. */
export const serverMetadataSchema = z.object({
  name: z.string(),
  version: z.string(),
  extensions: z.array(z.string()),
}).openapi("metadata_server_response");

const tensorMetadataSchema = z.object({
  name: z.string(),
  datatype: datatypeSchema,
  shape: z.array(z.int()).openapi({ description: "-1 where the size may vary." }),
}).openapi("metadata_tensor");

/** `$metadata_model_response`. */
export const modelMetadataSchema = z.object({
  name: z.string(),
  versions: z.array(z.string()).optional(),
  platform: z.string(),
  inputs: z.array(tensorMetadataSchema),
  outputs: z.array(tensorMetadataSchema),
}).openapi("metadata_model_response");

/** `$live_server_response`. */
export const liveSchema = z.object({ live: z.boolean() }).openapi("live_server_response");

/** `$ready_server_response`. */
export const readySchema = z.object({ live: z.boolean(), ready: z.boolean() }).openapi(
  "ready_server_response",
);

/** `$ready_model_response`. */
export const modelReadySchema = z.object({ name: z.string(), ready: z.boolean() }).openapi(
  "ready_model_response",
);

/** `$repository_index_request` of the model repository extension. */
export const indexRequestSchema = z.object({ ready: z.boolean().optional() }).openapi(
  "repository_index_request",
);

/** `$repository_index_response`. */
export const indexResponseSchema = z.array(z.object({
  name: z.string(),
  version: z.string().optional(),
  state: z.enum(["UNAVAILABLE", "LOADING", "READY"]),
  reason: z.string(),
})).openapi("repository_index_response");

/** `$repository_load_request` and `$repository_unload_request`. */
export const repositoryRequestSchema = z.object({ parameters: parametersSchema.optional() })
  .openapi("repository_request");
