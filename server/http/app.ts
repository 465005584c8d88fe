/**
 * The HTTP application: the routes, the page, and what surrounds them: ids, logs, counts, headers. Knows no port and no GPU.
 * @module
 */
import { contentType } from "@std/media-types";
import { extname } from "@std/path";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { RequestError } from "../inference/errors.ts";
import { pageFor } from "../page_for.ts";
import {
  type App,
  type AppContext,
  createPart,
  type Env,
  INFO,
  note,
  type Services,
  toRequestError,
} from "./context.ts";
import {
  type GuardOptions,
  hostCheck,
  limitRate,
  paceRefusals,
  refuseForeignPages,
  requireToken,
  tellClient,
  tokenCheck,
} from "./guard.ts";
import { inferRoutes } from "./infer.ts";
import { predictRoutes } from "./predict.ts";
import { repositoryRoutes } from "./repository.ts";
import { BodyReader } from "./request.ts";
import { statusRoutes } from "./status.ts";
import { v2Routes } from "./v2.ts";
import { weightsRoutes } from "./weights.ts";

/** Every file with endpoints. */
const PARTS = [predictRoutes, statusRoutes, weightsRoutes, v2Routes, inferRoutes, repositoryRoutes];

/** Path and file of everything that browsers load; nothing else of the folder is reachable. */
const PAGE = {
  "/": "index.html",
  "/docs": "docs.html",
  "/assets/api.js": "api.js",
  "/assets/app.js": "app.js",
  "/assets/camera.js": "camera.js",
  "/assets/card.js": "card.js",
  "/assets/device.js": "device.js",
  "/assets/docs.js": "docs.js",
  "/assets/own_device.js": "own_device.js",
  "/assets/view.js": "view.js",
  "/assets/formats.js": "formats.js",
  "/assets/base.css": "base.css",
  "/assets/stage.css": "stage.css",
  "/assets/result.css": "result.css",
  "/assets/card.css": "card.css",
  "/assets/docs.css": "docs.css",
  "/favicon.svg": "favicon.svg",
} as const;

/** The same of what computes on the visitor's own device. */
const DEVICE_PAGE = {
  "/doctor": "doctor.html",
  "/train": "train.html",
  "/assets/device_worker.js": "device_worker.js",
  "/assets/doctor.css": "doctor.css",
  "/assets/doctor.js": "doctor.js",
  "/assets/project.js": "project.js",
  "/assets/train.css": "train.css",
  "/assets/train.js": "train.js",
} as const;

/** Asked for every few seconds by machines: in the log at level debug. */
const QUIET = new Set(["/health", "/metrics", "/v2/health/live", "/v2/health/ready"]);

/** Who may ask, and what the server is called. */
export interface AppOptions extends GuardOptions {
  /** The address it listens on. */
  readonly hostname?: string | undefined;
  /**
   * The engine as one module (`deno task bundle` builds it). Where it is given, pages may compute on the visitor's own device, and for
   * that download the models' files.
   */
  readonly engine?: Uint8Array<ArrayBuffer> | undefined;
}

/** Puts the application together; `(await createApp(...)).fetch` answers requests, `request` does so without a port. */
export async function createApp(services: Services, options: AppOptions = {}): Promise<App> {
  const { token, cors: origins, maxRate } = options;
  const checkHost = hostCheck(options.hostname ?? "localhost", options.allowedHosts);
  const mayChange = token !== undefined
    ? tokenCheck(token)
    : options.openRepository
    ? () => {}
    : refuseChange;
  const context: AppContext = {
    ...services,
    bodies: new BodyReader(services.limits),
    engine: options.engine,
    checkChange: (c) => {
      checkHost(c);
      mayChange(c);
    },
  };
  const app = createPart();
  app.use(paceRefusals()); // first, so that what a refusal waits is no part of the time that it took
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
    strictTransportSecurity: false, // decided by whatever ends TLS in front of this server
  }));
  app.use(async (c, next) => {
    await next();
    if (context.state.phase === "draining") c.res.headers.set("Connection", "close");
  });
  app.use(tellClient(options.trustedProxies));
  if (origins !== undefined) {
    const origin = origins.includes("*") ? "*" : [...origins];
    app.use(
      cors({ origin, exposeHeaders: ["X-Request-Id", "Inference-Header-Content-Length", "Retry-After"] }),
    );
  }
  app.use(refuseForeignPages(checkHost, origins));
  if (maxRate) app.use(limitRate(maxRate));
  if (token !== undefined && options.tokenScope !== "changes") app.use(requireToken(token));
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed: (c, methods) => {
      const error = brief(`Cannot ${c.req.method} ${c.req.path}`) + `: expected ${methods.join(" or ")}`;
      return c.json({ error }, 405, { Allow: methods.join(", ") });
    },
  }));
  for (const part of PARTS) app.route("/", part(context));
  await addPage(app, options.engine);
  let description: object | undefined; // it takes a while to put together, and does not change
  app.get(
    "/openapi.json",
    (c) => c.json(description ??= app.getOpenAPI31Document({ openapi: "3.1.0", info: INFO })),
  );
  app.notFound((c) => c.json({ error: brief(`Cannot find ${c.req.path}`) }, 404));
  app.onError((error, c) => {
    const { message: full, status, headers } = toRequestError(error, context.state.phase);
    const message = brief(full);
    note(c, { error: message, ...(status === 500 ? { stack: error.stack } : {}) });
    return c.json({ error: message }, status as ContentfulStatusCode, { ...headers });
  });
  return app;
}

/** The page at `/`, the documentation at `/docs`, and their files: read once, served from memory. Rejects where one is missing. */
async function addPage(app: App, engine: AppOptions["engine"]): Promise<void> {
  const unchanged = etag();
  if (engine !== undefined) {
    const headers = { "Cache-Control": "no-cache", "Content-Type": "text/javascript; charset=UTF-8" };
    app.get("/assets/alexnet.js", unchanged, (c) => c.body(engine, 200, headers));
  }
  const files = { ...PAGE, ...engine === undefined ? {} : DEVICE_PAGE };
  for (const [path, file] of Object.entries(files)) {
    const read = await Deno.readFile(new URL(`../page/${file}`, import.meta.url));
    const bytes = file.endsWith(".html") ? pageFor("server", new TextDecoder().decode(read)) : read;
    const type: string = contentType(extname(file)) ?? "application/octet-stream";
    const headers = { "Cache-Control": "no-cache", "Content-Type": type };
    app.get(path, unchanged, (c) => c.body(bytes, 200, headers));
  }
}

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Gives each request an id (the client's, where it is a plain one), counts it, and writes its line in the log. */
function observe({ log, metrics }: AppContext): MiddlewareHandler<Env> {
  return async (c, next) => {
    const started = performance.now();
    const given = c.req.header("x-request-id");
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : crypto.randomUUID();
    c.set("requestId", requestId);
    c.set("started", started);
    c.set("notes", {});
    await next();
    c.res.headers.set("X-Request-Id", requestId);
    const milliseconds = performance.now() - started;
    const { method } = c.req;
    const status = c.res.status;
    const route = status === 404 || status === 405 ? knownRoute(routePath(c, -1)) : routePath(c, -1);
    metrics.requests.inc({ route, method: METHODS.has(method) ? method : "other", code: status });
    metrics.observeStage("total", milliseconds);
    const reason = REASONS[status];
    if (reason !== undefined) metrics.rejected.inc({ reason });
    const level = status >= 500 && status !== 503 && status !== 504 ? "error" : "info";
    log[QUIET.has(route) && status < 400 ? "debug" : level]("request", {
      requestId,
      method,
      path: c.req.path,
      status,
      totalMs: Math.round(milliseconds * 100) / 100,
      ...c.get("notes"),
    });
  };
}

/** One line that is not too long: an error may repeat what the client sent. */
function brief(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 600 ? `${line.slice(0, 600)}…` : line;
}

/** Anyone may invent paths and methods; they must not each become a time series. */
const METHODS = new Set(["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]);
const knownRoute = (route: string) => route === "/*" || route === "*" ? "none" : route;

const REASONS: Readonly<Record<number, string>> = {
  401: "token",
  403: "forbidden",
  408: "slow body",
  413: "too large",
  421: "unknown host",
  429: "queue full",
  499: "client gone",
  503: "not ready",
  504: "deadline",
};

/** What answers a request to change something where neither a token nor a flag allows it. */
function refuseChange(): never {
  throw new RequestError(
    403,
    "Cannot change the models over HTTP: expected a server started with --token-file or --repository-api",
  );
}
