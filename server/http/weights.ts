/**
 * A model's file for pages that compute on the visitor's own device; there only where the server was started to give it.
 * @module
 */
import { createRoute, z } from "@hono/zod-openapi";
import { contentVersion } from "../inference/checkpoint_file.ts";
import { UnavailableError } from "../inference/errors.ts";
import { type App, type AppContext, createPart, errorResponses, modelQuerySchema } from "./context.ts";

const PATH = "/model/weights";

/** The address of a model's file. */
export function weightsAddress(
  { name, version }: { readonly name: string; readonly version: string },
): string {
  return `${PATH}?${new URLSearchParams({ model: name, version })}`;
}

/** The route; none where files are not given. */
export function weightsRoutes({ models, engine }: AppContext): App {
  const app = createPart();
  if (engine === undefined) return app;
  const route = createRoute({
    method: "get",
    path: PATH,
    tags: ["Status"],
    summary: "A model's file",
    description: "The checkpoint as safetensors, for pages that compute on the visitor's own device.",
    request: { query: modelQuerySchema },
    responses: {
      200: {
        description: "The file.",
        content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } },
      },
      ...errorResponses(404, 503),
    },
  });
  app.openapi(route, async (c) => {
    const { model, version } = c.req.valid("query");
    const { identity } = models.resolve(model, version);
    const found = await contentVersion(identity.path).catch(() => undefined);
    if (found !== identity.version) {
      throw new UnavailableError(
        `Cannot give the weights of ${identity.name}: its file has changed since it was loaded, and is being loaded again`,
      );
    }
    const { size } = await Deno.stat(identity.path);
    const file = await Deno.open(identity.path);
    return c.body(file.readable, 200, {
      "Content-Type": "application/octet-stream",
      "Content-Length": String(size),
      "Cache-Control": "private, max-age=86400, immutable", // the address names the version
    });
  });
  return app;
}
