/**
 * What the routes work with: services, what a request leaves for its log line, and what every description and refusal shares.
 * @module
 */
import type { HttpBindings } from "@hono/node-server";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { ImageError, type ImageErrorCode } from "../../data/image/image.ts";
import { DeviceLostError } from "../../model/inference/classifier_types.ts";
import { RequestError, UnavailableError } from "../inference/errors.ts";
import type { Logger } from "../inference/log.ts";
import type { ModelRegistry } from "../inference/registry.ts";
import type { Decoder } from "../inference/served_model.ts";
import type { Codec } from "../workers/codec.ts";
import type { Phase } from "../workers/supervisor.ts";
import type { Metrics } from "./metrics.ts";
import { type BodyLimits, type BodyReader, RequestScope } from "./request.ts";

/** Limits of one request, and of all bodies together. */
export interface Limits extends BodyLimits {
  /** How long an answer may take once the body is there. */
  readonly timeoutMs: number;
}

/** What `createApp` is given. */
export interface Services {
  readonly models: ModelRegistry;
  readonly decoder: Decoder;
  readonly codec: Codec;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly limits: Limits;
  /** What the server is doing, and whether it can answer. */
  readonly state: { readonly phase: Phase; readonly ready: boolean };
}

/** Services and what is derived from them once. */
export interface AppContext extends Services {
  readonly bodies: BodyReader;
  /** Throws a `RequestError`, 401 or 403, where a request may not change what is served. */
  readonly checkChange: (c: Context<Env>) => void;
  /** The engine for pages, where visitors may compute on their own devices. */
  readonly engine: Uint8Array<ArrayBuffer> | undefined;
}

/** What middleware leaves for later handlers and the log. */
export interface Env {
  Variables: {
    requestId: string;
    started: number;
    /** The client's address; unknown where there is no connection. */
    client?: string;
    /** What the log line says beside the usual. */
    notes: Record<string, unknown>;
  };
}

/** The application, and every part of it. */
export type App = OpenAPIHono<Env>;

/** An empty part whose queries and bodies are refused with this server's error form. */
export function createPart(): App {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (result.success) return;
      const issue = result.error.issues[0]!;
      throw new RequestError(
        400,
        `Cannot read ${issue.path.join(".") || "the request"}: ${issue.message}`,
      );
    },
  });
}

/** Adds to what the log line of this request says. */
export function note(c: Context<Env>, fields: Record<string, unknown>): void {
  Object.assign(c.get("notes"), fields);
}

/** A request whose body is there; dispose of it when it is answered. */
export interface Received extends Disposable {
  readonly body: Uint8Array<ArrayBuffer>;
  /** Ends with the request's deadline, which is counted from here, or when its client is gone. */
  readonly scope: RequestScope;
}

/** Whether a request has a body. Asking a connection's request for its `body` would make a second reader of the same bytes. */
export function hasBody(c: Context<Env>): boolean {
  if ((c.env as Partial<HttpBindings> | undefined)?.incoming === undefined) return c.req.raw.body !== null;
  const length = c.req.header("content-length");
  return length === undefined ? c.req.header("transfer-encoding") !== undefined : Number(length) > 0;
}

/** Receives the whole body; throws as `BodyReader.read`, whose memory it takes until it is disposed of. */
export async function receive(
  c: Context<Env>,
  { bodies, limits, metrics }: AppContext,
): Promise<Received> {
  using stack = new DisposableStack();
  const scope = stack.use(new RequestScope(c.req.raw.signal));
  const started = performance.now();
  const { incoming } = (c.env ?? {}) as Partial<HttpBindings>;
  const { bytes } = stack.use(await bodies.read(c.req.raw, { client: c.get("client"), incoming }));
  metrics.observeStage("body", performance.now() - started);
  note(c, { bytes: bytes.length });
  scope.startDeadline(limits.timeoutMs);
  const kept = stack.move();
  return { body: bytes, scope, [Symbol.dispose]: () => kept.dispose() };
}

/** What the server is called, and its version. */
export const INFO = {
  title: "AlexNet on WebGPU",
  version: "0.1.0",
  description:
    "Classifies photos with trained networks. Speaks the Open Inference Protocol (v2) beside its own, simpler routes.",
  license: { name: "MIT" },
} as const;

/** The query of routes about one model. */
export const modelQuerySchema: z.ZodObject<
  { model: z.ZodOptional<z.ZodString>; version: z.ZodOptional<z.ZodString> }
> = z.object({
  model: z.string().optional().openapi({ description: "Which model to ask; default: the first one served." }),
  version: z.string().optional().openapi({
    description: "Which of its versions; default: the last one given.",
  }),
});

/** An answer in JSON, as a route describes it. */
export interface JsonResponse<T extends z.ZodType> {
  description: string;
  content: { "application/json": { schema: T } };
}

/** Describes an answer of this form. */
export function json<T extends z.ZodType>(schema: T, description: string): JsonResponse<T> {
  return { description, content: { "application/json": { schema } } };
}

/** How every failure is told, on every route. */
const errorSchema: z.ZodType<{ error: string }> = z.object({
  error: z.string().openapi({ example: "Cannot find a photo in the form: it has no field" }),
}).openapi("error");

const MEANINGS = {
  400: "The request cannot be read, or an image is corrupt.",
  401: "The token is missing or wrong.",
  403: "Neither a token nor a flag allows this.",
  404: "There is no such model or version.",
  408: "The body came too slowly.",
  413: "The body, an image or the number of images is too large.",
  415: "The body is not an image, or its encoding is not known.",
  429: "The queue is full; `Retry-After` tells when to try again.",
  503: "The server or the model is not ready.",
  504: "No answer within the time for one request.",
} as const;

/** The failures that a route may answer with, all in one form. */
export function errorResponses<S extends keyof typeof MEANINGS>(
  ...statuses: S[]
): Record<S, JsonResponse<typeof errorSchema>> {
  const responses = statuses.map((status) => [status, json(errorSchema, MEANINGS[status])]);
  return Object.fromEntries(responses) as Record<S, JsonResponse<typeof errorSchema>>;
}

const IMAGE_STATUS: Readonly<Record<ImageErrorCode, ContentfulStatusCode>> = {
  "too-large": 413,
  "unsupported": 415,
  "corrupt": 400,
  "timeout": 504,
  "failed": 503,
  "unavailable": 503,
  "no-decoder": 503,
};

/** The answer for anything thrown; what is not foreseen becomes a 500 that tells the client nothing about the inside. */
export function toRequestError(error: unknown, phase: Phase): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof ImageError && error.code === "no-decoder") {
    return new UnavailableError(
      "Cannot decode the image: the server could not fetch the decoder of its format; JPEG and PNG need none",
    );
  }
  if (error instanceof ImageError && IMAGE_STATUS[error.code] === 503) {
    return new UnavailableError("Cannot decode the image: its decoder ended or could not be started");
  }
  if (error instanceof ImageError) return new RequestError(IMAGE_STATUS[error.code], error.message);
  if (error instanceof DeviceLostError) {
    return new UnavailableError("Cannot classify: the device was lost and is being restarted");
  }
  if (error instanceof HTTPException) return new RequestError(error.status, error.message);
  if (phase === "draining") return new UnavailableError("Cannot answer: the server is shutting down");
  return new RequestError(
    500,
    "Cannot answer: an internal error occurred; the log has it under this request's id",
  );
}
