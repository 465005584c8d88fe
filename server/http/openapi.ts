/**
 * What the routes' descriptions share.
 * @module
 */
import { errorSchema } from "./schemas.ts";

const MEANINGS = {
  400: "The request cannot be read, or an image is corrupt.",
  401: "The token is missing or wrong.",
  404: "There is no such model or version.",
  408: "The body came too slowly.",
  413: "The body, an image or the number of images is too large.",
  415: "The body is not an image, or its encoding is not known.",
  429: "The queue is full; `Retry-After` tells when to try again.",
  503: "The server or the model is not ready.",
  504: "No answer within the time for one request.",
} as const;

type Status = keyof typeof MEANINGS;

interface ErrorResponse {
  description: string;
  content: { "application/json": { schema: typeof errorSchema } };
}

/** The failures that a route may answer with, all in one form. */
export function errorResponses<S extends Status>(...statuses: S[]): Record<S, ErrorResponse> {
  const responses = {} as Record<S, ErrorResponse>;
  for (const status of statuses) {
    responses[status] = {
      description: MEANINGS[status],
      content: { "application/json": { schema: errorSchema } },
    };
  }
  return responses;
}

/** What the document says about the server. */
export const INFO = {
  title: "AlexNet on WebGPU",
  version: "0.1.0",
  description:
    "Classifies photos with trained networks. Speaks the Open Inference Protocol (v2) beside its own, simpler routes.",
  license: { name: "MIT" },
};
