/**
 * The port: connections within limits, handed to the application as requests. It is `node:http` and not `Deno.serve` that listens,
 * because it tells its connections apart: `Deno.serve` has no time limit for headers, no way to close an idle connection, and stops
 * for good when the system has no more open files (Deno 2.9.6).
 * @module
 */
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { delay } from "@std/async/delay";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Logger } from "../inference/log.ts";

/** Where to listen, and how much may come. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0: any free port. */
  readonly port: number;
  /** Connections at one time; beyond it the one that has been idle longest is closed, or the new one where none is idle. */
  readonly maxConnections: number;
  /** How long a request's headers may take, and a new connection until its first. */
  readonly headerTimeoutMs: number;
  /** How long a connection may be idle between requests. */
  readonly keepAliveMs: number;
  /** How long a whole request may take to arrive; the application's own limit for bodies comes first. */
  readonly requestTimeoutMs: number;
  readonly log: Logger;
  /** Called with the reason when a connection is closed without the application having been asked. */
  readonly onRefuse: (reason: RefusedConnection) => void;
}

/** Why a connection was closed. */
export type RefusedConnection = "malformed" | "slow headers" | "connections" | "pipelined";

/** What answers requests. */
export type Fetch = (request: Request, env: object) => Response | Promise<Response>;

/** A port that is listened on. */
export interface Listener {
  readonly url: URL;
  /** Connections that are open. */
  readonly connections: number;
  /** Takes no new connections, closes idle ones, and resolves when the last request is answered. */
  shutdown(): Promise<void>;
  /** The same, but ends every connection after `patienceMs`. */
  close(patienceMs: number): Promise<void>;
}

/** Files that the program opens beside connections: checkpoints, decoders' pipes, and the modules of a worker that starts. */
const OWN_FILES = 256;

/**
 * What is left of a refused request's body is read and forgotten for this long and this many bytes, so that a client that reads only
 * after it has sent everything sees why; then its connection is closed.
 */
const LINGER = { milliseconds: 3000, bytes: 64_000_000 };

/** Requests that may wait on one connection for the answers before them. */
const MAX_PIPELINED = 64;

/** Starts listening; rejects with a `Deno.errors.AddrInUse` where the port is taken. */
export async function listen(fetch: Fetch, options: ListenOptions): Promise<Listener> {
  const { hostname, port, log, onRefuse } = options;
  const answer = getRequestListener(async (request, env) => {
    const response = await fetch(request, env);
    const { incoming, outgoing } = env as HttpBindings;
    // Else Node closes the connection with the answer, if the client asked for it, and what still comes resets it: `linger` closes it.
    if (!incoming.complete) outgoing.shouldKeepAlive = true;
    return response;
  }, {
    hostname,
    overrideGlobalObjects: false,
    autoCleanupIncoming: false, // `linger` does it
    errorHandler: (error) => {
      log.debug("request refused", { error: String(error) });
      return json(400, "Cannot read the request");
    },
  });
  const server = createServer({
    headersTimeout: options.headerTimeoutMs,
    keepAliveTimeout: options.keepAliveMs,
    requestTimeout: options.requestTimeoutMs,
    connectionsCheckingInterval: 500,
  }, (request, response) => {
    const turn = connections.takeTurn(request, response);
    if (turn === undefined) return;
    linger(request, response);
    void turn.then(() => request.socket.destroyed ? undefined : answer(request, response));
  });
  const connections = new Connections(server, connectionLimit(options), onRefuse);
  const inTurns = new InTurns();
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const refuse = () => refuseConnection(error, socket, onRefuse);
    // What is not HTTP is answered now: it goes on being read, and each further error would be told as one more.
    if (isLate(error)) inTurns.run(refuse);
    else refuse();
  });
  server.on("connect", (_request, socket: Socket) => {
    onRefuse("malformed");
    answerRaw(socket, 405, "Method Not Allowed", "Cannot CONNECT: this is no proxy");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      reject(taken ? new Deno.errors.AddrInUse(`Cannot listen on ${hostname}:${port}: it is in use`) : error);
    });
    server.listen({ host: hostname, port, backlog: 1024 }, resolve);
  });
  server.on("error", (error) => log.error("listener failed", { error: error.message }));
  const address = server.address() as AddressInfo;
  const host = address.address.includes(":") ? `[${address.address}]` : address.address;
  let closed: Promise<void> | undefined;
  const shutdown = () => {
    closed ??= new Promise<void>((resolve) => {
      server.close(() => resolve());
      connections.closeIdle();
    });
    return closed;
  };
  return {
    url: new URL(`http://${host}:${address.port}/`),
    get connections() {
      return connections.size;
    },
    shutdown,
    close: async (patienceMs) => {
      const timer = setTimeout(() => connections.closeAll(), patienceMs);
      await shutdown();
      clearTimeout(timer);
    },
  };
}

/** Does what comes in thousands at one moment, such as connections that are out of time, a few at a time: others are answered between. */
class InTurns {
  static readonly #AT_ONCE = 20;
  readonly #waiting: (() => void)[] = [];
  #running = false;

  run(work: () => void): void {
    this.#waiting.push(work);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      for (const work of this.#waiting.splice(0, InTurns.#AT_ONCE)) work();
      await delay(0);
    }
    this.#running = false;
  }
}

/** An open connection. */
interface Open {
  /** Requests that came and are not answered yet: several, where a client does not wait for its answers. */
  requests: number;
  /** Resolves when the last of them is answered. */
  turn: Promise<void>;
}

/** Every open connection, and which of them wait for a request. */
class Connections {
  readonly #open = new Map<Socket, Open>();
  /** The one that has waited longest first. */
  readonly #idle = new Set<Socket>();
  readonly #onRefuse: ListenOptions["onRefuse"];
  #closing = false;

  constructor(server: Server, limit: number, onRefuse: ListenOptions["onRefuse"]) {
    this.#onRefuse = onRefuse;
    server.on("connection", (socket: Socket) => {
      if (this.#open.size >= limit) {
        onRefuse("connections");
        const [oldest = socket] = this.#idle;
        oldest.destroy();
        this.#forget(oldest);
        if (oldest === socket) return;
      }
      this.#open.set(socket, { requests: 0, turn: Promise.resolve() });
      this.#idle.add(socket);
      socket.on("close", () => this.#forget(socket));
    });
  }

  /**
   * Resolves when every request before this one on its connection is answered and taken by the client, who otherwise could have as many
   * answers made as requests fit in a packet; `undefined` where so many wait that the connection is closed.
   */
  takeTurn({ socket }: IncomingMessage, response: ServerResponse): Promise<void> | undefined {
    const open = this.#open.get(socket);
    if (open === undefined || socket.destroyed) return undefined;
    if (++open.requests > MAX_PIPELINED) {
      this.#onRefuse("pipelined");
      socket.destroy();
      return undefined;
    }
    this.#idle.delete(socket);
    const mine = open.turn;
    open.turn = new Promise((resolve) =>
      response.on("close", () => {
        resolve();
        if (--open.requests > 0 || !this.#open.has(socket)) return;
        if (this.#closing) socket.destroySoon();
        else this.#idle.add(socket);
      })
    );
    return mine;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Closes those that wait; from now on each is closed when its request is answered. */
  closeIdle(): void {
    this.#closing = true;
    for (const socket of this.#idle) socket.destroy();
  }

  closeAll(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    this.#idle.delete(socket);
  }
}

/** The limit that was asked for, or what the system's limit of open files leaves: a listener that cannot accept stays deaf for ever. */
function connectionLimit({ maxConnections, log }: ListenOptions): number {
  const files = countFilesLeft(maxConnections + OWN_FILES);
  const left = Math.max(16, files - OWN_FILES);
  if (left >= maxConnections) return maxConnections;
  log.warn("fewer connections than wanted", { wanted: maxConnections, possible: left, openFilesLeft: files });
  return left;
}

/** How many more files the system lets this process open, up to `wanted`: found by opening this one again and again. */
function countFilesLeft(wanted: number): number {
  const files: Deno.FsFile[] = [];
  try {
    while (files.length < wanted) files.push(Deno.openSync(new URL(import.meta.url)));
  } catch {
    // It has said how many.
  } finally {
    for (const file of files) file.close();
  }
  return files.length;
}

/** When the answer is written before its request has come to an end, reads on for a while; what has not ended by then is closed. */
function linger(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const wantsClose = !response.shouldKeepAlive;
  response.on("finish", () => {
    if (request.complete) return;
    if (request.destroyed) return socket.destroySoon(); // it was too slow, and is read no more
    const timer = setTimeout(() => socket.destroy(), LINGER.milliseconds);
    let bytes = 0;
    request.on("data", (piece: Uint8Array) => {
      bytes += piece.length;
      if (bytes > LINGER.bytes) socket.destroy();
    });
    request.on("end", () => wantsClose && socket.destroySoon());
    request.on("close", () => clearTimeout(timer));
    request.resume();
  });
}

/** Whether a connection is refused since its request took too long to come. */
function isLate(error: NodeJS.ErrnoException): boolean {
  return error.code === "ERR_HTTP_REQUEST_TIMEOUT";
}

/** Answers what is not HTTP, or comes too slowly, and closes its connection. */
function refuseConnection(
  error: NodeJS.ErrnoException,
  socket: Socket,
  onRefuse: ListenOptions["onRefuse"],
): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const slow = isLate(error);
  const large = error.code === "HPE_HEADER_OVERFLOW";
  onRefuse(slow ? "slow headers" : "malformed");
  const [status, reason, text]: [number, string, string] = slow
    ? [408, "Request Timeout", "Cannot take the request: it came too slowly"]
    : large
    ? [431, "Request Header Fields Too Large", "Cannot take the request: its headers are too large"]
    : [400, "Bad Request", "Cannot read the request: it is not valid HTTP"];
  answerRaw(socket, status, reason, text);
}

/** Answers in place of the application, and closes the connection. */
function answerRaw(socket: Socket, status: number, reason: string, error: string): void {
  const body = JSON.stringify({ error });
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}

function json(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
