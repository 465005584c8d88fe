/**
 * The HTTP application: routes and what surrounds them. Knows no port and no GPU.
 * @module
 */
import { cors } from "hono/cors";
import { secureHeaders } from "hono/secure-headers";
import { type App, type AppContext, createPart, note, type Services } from "./context.ts";
import { toHttpError } from "./errors.ts";
import { observe, requireToken } from "./middleware.ts";
import { INFO } from "./openapi.ts";
import { BodyBudget } from "./request_body.ts";
import { pageRoutes } from "./routes/page.ts";
import { predictRoutes } from "./routes/predict.ts";
import { repositoryRoutes } from "./routes/repository.ts";
import { statusRoutes } from "./routes/status.ts";
import { v2Routes } from "./routes/v2.ts";

/** Who may ask. */
export interface AppOptions {
  /** Asked of every request but those for the page and the probes. */
  readonly token?: string | undefined;
  /** Origins whose pages may call the API from a browser; `*` means all. */
  readonly cors?: readonly string[] | undefined;
}

/** Puts the application together; `(await createApp(...)).fetch` answers requests, `request` does so without a port. */
export async function createApp(services: Services, options: AppOptions = {}): Promise<App> {
  const context: AppContext = { ...services, bodies: new BodyBudget(services.limits.maxBodiesBytes) };
  const app = createPart();
  app.use(observe(context));
  app.use(secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", "blob:", "data:"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
    permissionsPolicy: { camera: ["self"], microphone: [], geolocation: [] },
    strictTransportSecurity: false, // the business of whoever ends TLS in front of this server
  }));
  app.use(async (c, next) => {
    await next();
    if (context.state.phase === "draining") c.res.headers.set("Connection", "close");
  });
  if (options.cors !== undefined) {
    const origin = options.cors.includes("*") ? "*" : [...options.cors];
    app.use(
      cors({ origin, exposeHeaders: ["X-Request-Id", "Inference-Header-Content-Length", "Retry-After"] }),
    );
  }
  if (options.token !== undefined) app.use(requireToken(options.token));
  const parts = [predictRoutes(context), statusRoutes(context), v2Routes(context), repositoryRoutes(context)];
  for (const part of [...parts, await pageRoutes()]) app.route("/", part);
  app.doc31("/openapi.json", { openapi: "3.1.0", info: INFO });
  app.notFound((c) => {
    const allowed = methodsOf(app, c.req.path);
    if (allowed.length === 0) return c.json({ error: `Cannot find ${c.req.path}` }, 404);
    c.header("Allow", allowed.join(", "));
    return c.json({ error: `Cannot ${c.req.method} ${c.req.path}: expected ${allowed.join(" or ")}` }, 405);
  });
  app.onError((error, c) => {
    const http = toHttpError(error);
    note(c, { error: http.message, ...(http.status === 500 ? { stack: error.stack } : {}) });
    return c.json({ error: http.message }, http.status, { ...http.headers });
  });
  return app;
}

/** The methods that some route takes at this path. */
function methodsOf(app: App, path: string): string[] {
  const methods = app.routes.filter(({ method, path: pattern }) => {
    if (method === "ALL") return false;
    const parts = pattern.split("/").map((part) =>
      part.startsWith(":") ? "[^/]+" : part.replaceAll(".", "\\.")
    );
    return new RegExp(`^${parts.join("/")}$`).test(path);
  });
  return [...new Set(methods.map(({ method }) => method))];
}
