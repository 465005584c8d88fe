/**
 * What the routes work with.
 * @module
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { DecodedImage } from "../../data/image/image.ts";
import type { Codec } from "../workers/codec.ts";
import { HttpError } from "./errors.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelRegistry } from "../inference/registry.ts";
import type { BodyBudget } from "./request_body.ts";
import type { Phase } from "../workers/supervisor.ts";

/** Turns bytes into pixels; a `DecoderPool`, or whatever stands in for it. Rejects with `ImageError`. */
export interface Decoder {
  decode(
    bytes: Uint8Array,
    options?: { shorterSide?: number; signal?: AbortSignal },
  ): Promise<DecodedImage>;
}

/** Limits of one request. */
export interface Limits {
  /** Bytes of a body at most, after decompression; default 20 MB. */
  readonly maxBodyBytes: number;
  /** Bytes of all bodies at one time. */
  readonly maxBodiesBytes: number;
  /** How long a body may take to arrive. */
  readonly bodyTimeoutMs: number;
  /** How long an answer may take once the body is there. */
  readonly timeoutMs: number;
}

/** Limits for a server on the open internet. */
export const DEFAULT_LIMITS: Limits = {
  maxBodyBytes: 20_000_000,
  maxBodiesBytes: 256_000_000,
  bodyTimeoutMs: 30_000,
  timeoutMs: 10_000,
};

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
  readonly bodies: BodyBudget;
}

/** What middleware leaves for later handlers and the log. */
export interface Env {
  Variables: {
    requestId: string;
    started: number;
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
      throw new HttpError(400, `Cannot read ${issue.path.join(".") || "the request"}: ${issue.message}`);
    },
  });
}

/** Adds to what the log line of this request says. */
export function note(c: Context<Env>, fields: Record<string, unknown>): void {
  Object.assign(c.get("notes"), fields);
}
