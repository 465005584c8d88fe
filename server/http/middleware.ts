/**
 * What happens around every route: ids, logs, counts, headers, tokens.
 * @module
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import { routePath } from "hono/route";
import type { AppContext, Env } from "./context.ts";
import { HttpError } from "./errors.ts";
import { discardBody } from "./request_body.ts";

/** A body that is refused is read to its end if that is at most this much, so that the client sees why. */
const DISCARD = { maxBytes: 4_000_000, timeoutMs: 1000 };

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Gives each request an id (the client's, where it is a plain one), counts it, and writes its line in the log. */
export function observe({ log, metrics }: AppContext) {
  return createMiddleware<Env>(async (c, next) => {
    const started = performance.now();
    const given = c.req.header("x-request-id");
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : crypto.randomUUID();
    c.set("requestId", requestId);
    c.set("started", started);
    c.set("notes", {});
    await next();
    c.res.headers.set("X-Request-Id", requestId);
    if (c.res.status >= 400) await discardBody(c.req.raw, DISCARD);
    const milliseconds = performance.now() - started;
    const { method } = c.req;
    const status = c.res.status;
    const route = status === 404 || status === 405 ? knownRoute(routePath(c, -1)) : routePath(c, -1);
    metrics.requests.inc({ route, method: METHODS.has(method) ? method : "other", code: status });
    metrics.stages.observe({ stage: "total" }, milliseconds / 1000);
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
  });
}

/** Anyone may invent paths and methods; they must not each become a time series. */
const METHODS = new Set(["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]);
const knownRoute = (route: string) => route === "/*" || route === "*" ? "none" : route;

/** Asked for every few seconds by machines. */
const QUIET = new Set(["/health", "/metrics", "/v2/health/live", "/v2/health/ready"]);

const REASONS: Readonly<Record<number, string>> = {
  401: "token",
  408: "slow body",
  413: "too large",
  429: "queue full",
  499: "client gone",
  503: "not ready",
  504: "deadline",
};

/** Refuses requests without the token, but for what must work without: the page's own files, and the probes. */
export function requireToken(token: string) {
  const wanted = digest(token);
  return createMiddleware<Env>(async (c, next) => {
    const given = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    // Digests have one length, so the comparison takes the same time whatever was given.
    const allowed = timingSafeEqual(digest(given ?? ""), wanted) && given !== undefined;
    if (!allowed && !isOpen(c.req.path) && c.req.method !== "OPTIONS") {
      const problem = given === undefined ? "no token came" : "the token is wrong";
      throw new HttpError(401, `Cannot answer: ${problem}, expected "Authorization: Bearer TOKEN"`, {
        "WWW-Authenticate": "Bearer",
      });
    }
    await next();
  });
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function isOpen(path: string): boolean {
  return ["/", "/docs", "/openapi.json", "/favicon.svg", "/health"].includes(path) ||
    path.startsWith("/assets/") || path.startsWith("/v2/health/");
}
