/**
 * Who may ask for what: the names the server answers to, whose pages may post to it, how often one client may ask, and the token.
 * @module
 */
import type { HttpBindings } from "@hono/node-server";
import { delay } from "@std/async/delay";
import type { Context, MiddlewareHandler } from "hono";
import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { OverloadError, RequestError } from "../inference/errors.ts";
import type { Env } from "./context.ts";

/** Who may ask. */
export interface GuardOptions {
  /** Asked of every request that changes something, and of all but the page and the probes where `tokenScope` says so. */
  readonly token?: string | undefined;
  /** What the token is asked of; default `all`. */
  readonly tokenScope?: "all" | "changes" | undefined;
  /** Origins whose pages may call the API from a browser; `*` means all. */
  readonly cors?: readonly string[] | undefined;
  /** Names that the server answers to beside its address and localhost; `.example.com` means every name below, `*` any name. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** Addresses, or networks such as 10.0.0.0/8, of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Requests a second of one client at most; default: no limit. */
  readonly maxRate?: number | undefined;
  /** Whether models may be loaded and unloaded over HTTP without a token. */
  readonly openRepository?: boolean | undefined;
}

/** What answers without a token: the page's own files, the description, and the probes. */
const OPEN = /^\/(docs|doctor|train|openapi\.json|favicon\.svg|health|assets\/.*|v2\/health\/.*)?$/;

/** Asked for every few seconds by machines, whatever else their address asks for. */
const PROBES = /^\/(health|metrics|v2\/health\/(live|ready))$/;

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a request came under a name of this server; throws a `RequestError`, 421, where it did not. */
export type CheckHost = (c: Context<Env>) => void;

/**
 * The server's own names: its address (any address, since a web page needs a name), localhost, and those allowed. A page whose name is
 * made to point at this machine (DNS rebinding) is of the server's own origin for its browser, and only its name tells it apart.
 */
export function hostCheck(hostname: string, allowed: readonly string[] = []): CheckHost {
  const isKnown = (host: string) =>
    isIP(host.replace(/^\[|\]$/g, "")) !== 0 || host === "localhost" || host.endsWith(".localhost") ||
    host === hostname.toLowerCase() ||
    allowed.some((name) => {
      const wanted = name.toLowerCase();
      return wanted === "*" || wanted === host || wanted.startsWith(".") && host.endsWith(wanted);
    });
  return (c) => {
    const host = new URL(c.req.url).hostname.toLowerCase();
    if (isKnown(host)) return;
    const expected = "expected this server's address, or a name of --allowed-hosts";
    throw new RequestError(421, `Cannot answer for the name ${JSON.stringify(host)}: ${expected}`);
  };
}

/**
 * Refuses what pages of other origins send to routes that are not only read, 403, or 421 under a foreign name: browsers send simple
 * requests before they ask whether they may. Programs other than browsers send no origin and are not concerned. As in Go's
 * `CrossOriginProtection`, `Sec-Fetch-Site` decides where there is one, else `Origin` against the request's own host.
 */
export function refuseForeignPages(
  checkHost: CheckHost,
  cors: readonly string[] = [],
): MiddlewareHandler<Env> {
  return async (c, next) => {
    const origin = c.req.header("origin");
    const site = c.req.header("sec-fetch-site");
    const isPage = origin !== undefined || site !== undefined;
    const isListed = origin !== undefined && (cors.includes(origin) || cors.includes("*"));
    if (isPage && !isListed && !SAFE.has(c.req.method)) {
      const isOwn = site === undefined
        ? hostOf(origin!) === new URL(c.req.url).host
        : site === "same-origin" || site === "none";
      if (!isOwn) {
        const expected = "expected this server's own page, or an origin of --cors";
        throw new RequestError(403, `Cannot answer a page of ${JSON.stringify(origin ?? site)}: ${expected}`);
      }
      checkHost(c);
    }
    await next();
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Leaves the client's address for later handlers: the connection's, or what a trusted proxy says about it. */
export function tellClient(trustedProxies: readonly string[] = []): MiddlewareHandler<Env> {
  const trusted = parseNetworks(trustedProxies);
  return async (c, next) => {
    const address = (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress;
    if (address !== undefined) c.set("client", clientOf(address, c.req.header("x-forwarded-for"), trusted));
    await next();
  };
}

/** The last address on the way here that is no trusted proxy's. */
export function clientOf(address: string, forwardedFor: string | undefined, trusted: BlockList): string {
  const way = (forwardedFor ?? "").split(",").map((text) => text.trim()).filter((text) => text !== "");
  let client = plain(address);
  while (isIn(trusted, client)) {
    const before = way.pop();
    if (before === undefined || isIP(plain(before)) === 0) break;
    client = plain(before);
  }
  return client;
}

/** Addresses and networks as a list that can be asked; throws an `Error` for what is neither. */
export function parseNetworks(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const [address = "", bits] = text.split("/");
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    if (family === 0 || bits !== undefined && !(/^\d+$/.test(bits) && Number(bits) <= most)) {
      throw new Error(
        `Cannot trust the proxy ${JSON.stringify(text)}: expected an address or a network such as 10.0.0.0/8`,
      );
    }
    list.addSubnet(address, bits === undefined ? most : Number(bits), family === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

/** IPv4 addresses in their IPv6 form are the same clients. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "");
}

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? "ipv6" : "ipv4");
}

/** Answers 429 beyond `perSecond` requests of one client in a second; probes are not counted. */
export function limitRate(perSecond: number): MiddlewareHandler<Env> {
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  return async (c, next) => {
    const client = c.get("client");
    if (client !== undefined && !PROBES.test(c.req.path)) {
      await limiter.consume(client).catch((refusal: unknown) => {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        throw new OverloadError(
          `Cannot answer more than ${perSecond} requests a second of one client`,
          refusal.msBeforeNext / 1000,
        );
      });
    }
    await next();
  };
}

/** Who asks again sooner than this after a refusal has not read `Retry-After`. */
const AT_ONCE_MS = 100;

/**
 * How long the next refusal takes of a client that came back at once so many times in a row: at first the least that `Retry-After` ever
 * says, then twice as long each time, and 4 seconds at most.
 */
export function paceMs(times: number): number {
  return 1000 * 2 ** Math.min(times - 1, 2);
}

/**
 * Lets a connection that asks again at once after a 429 wait for its next one, so that refusing takes no processor time from answering:
 * clients that try again without a pause would otherwise get as many refusals as the machine can make. Whoever waits of himself, if
 * only for a tenth of a second, is refused at once. A trusted proxy's connections carry many clients and are left alone.
 */
export function paceRefusals(): MiddlewareHandler<Env> {
  const refused = new WeakMap<object, { readonly at: number; readonly times: number }>();
  return async (c, next) => {
    const socket = (c.env as Partial<HttpBindings> | undefined)?.incoming?.socket;
    const arrived = performance.now();
    await next();
    if (c.res.status !== 429 || socket === undefined) return;
    const own = c.get("client") === plain(socket.remoteAddress ?? "");
    const last = refused.get(socket);
    const times = own && last !== undefined && arrived - last.at < AT_ONCE_MS ? last.times + 1 : 0;
    if (times > 0) {
      // Give or take a half, so that hundreds of clients do not come back in one moment.
      const wait = paceMs(times) * (0.5 + Math.random());
      await delay(wait, { signal: c.req.raw.signal }).catch(() => {}); // it is gone
    }
    refused.set(socket, { at: performance.now(), times });
  };
}

/** Refuses requests without the token, but for what must work without. */
export function requireToken(token: string): MiddlewareHandler<Env> {
  const check = tokenCheck(token);
  return async (c, next) => {
    if (!OPEN.test(c.req.path) && c.req.method !== "OPTIONS") check(c);
    await next();
  };
}

/** Throws a `RequestError`, 401, for a request without the token; takes the same time whatever was given. */
export function tokenCheck(token: string): (c: Context<Env>) => void {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = digest(token);
  return (c) => {
    const given = /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
    // Digests have one length, so the comparison takes the same time whatever was given.
    if (timingSafeEqual(digest(given ?? ""), wanted) && given !== undefined) return;
    const problem = given === undefined ? "no token came" : "the token is wrong";
    throw new RequestError(401, `Cannot answer: ${problem}, expected "Authorization: Bearer TOKEN"`, {
      "WWW-Authenticate": "Bearer",
    });
  };
}
