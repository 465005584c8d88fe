/**
 * HTTP/1.1 over bare sockets: requests are buffers that were made before, so that sending one costs little and may be as wrong as it likes.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { connect, type Socket } from "node:net";

/** Where a server listens, and which of this machine's addresses to come from. */
export interface Target {
  readonly hostname: string;
  readonly port: number;
  /** An address of the loopback network, so that the server can tell clients apart; absent: whichever the system takes. */
  readonly from?: string | undefined;
}

/** An answer that came whole. */
export interface Answer {
  readonly status: number;
  /** By name in lower case; of several with one name the last. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
  /** Bytes on the wire, from its status line on. */
  readonly length: number;
}

/**
 * How a request ended without an answer: no connection, a connection that was closed before the answer was whole, or nothing in the time
 * that there was.
 */
export type Silence = "refused" | "cut" | "none";

/** A request's bytes: its line, its headers with `Host` and the body's length, its body. */
export function requestBytes(
  method: string,
  path: string,
  { headers = {}, body, announce = body?.length }: {
    /** `host` takes the place of this machine's address. */
    headers?: Readonly<Record<string, string>>;
    body?: Uint8Array;
    /** What `Content-Length` says; the body's length where it is not given, no header without a body. */
    announce?: number | undefined;
  } = {},
): Uint8Array<ArrayBuffer> {
  const host: Record<string, string> = "host" in headers ? {} : { Host: "127.0.0.1" };
  const lines = Object.entries({ ...host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  if (announce !== undefined) lines.push(`Content-Length: ${announce}\r\n`);
  const head = new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return body === undefined ? head : concat([head, body]);
}

/** The answer at the beginning of `bytes`, after any interim ones; undefined where it is not whole yet. `ended`: nothing will follow. */
export function parseAnswer(
  bytes: Uint8Array<ArrayBuffer>,
  { ended = false, head = false }: { ended?: boolean; head?: boolean } = {},
): Answer | undefined {
  const headEnd = indexOf(bytes, "\r\n\r\n", 0);
  if (headEnd < 0) return undefined;
  const [line, ...rest] = new TextDecoder().decode(bytes.subarray(0, headEnd)).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line!)?.[1]);
  const start = headEnd + 4;
  if (status >= 100 && status < 200) {
    const next = parseAnswer(bytes.subarray(start), { ended, head });
    return next && { ...next, length: next.length + start };
  }
  const headers = Object.fromEntries(rest.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  const answer = (body: Uint8Array<ArrayBuffer>, length: number) => ({ status, headers, body, length });
  if (head || status === 204 || status === 304) return answer(new Uint8Array(), start);
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let at = start;;) {
      const lineEnd = indexOf(bytes, "\r\n", at);
      if (lineEnd < 0) return undefined;
      const size = parseInt(new TextDecoder().decode(bytes.subarray(at, lineEnd)), 16);
      at = lineEnd + 2;
      if (bytes.length < at + size + 2) return undefined;
      parts.push(bytes.subarray(at, at + size));
      at += size + 2;
      if (size === 0) return answer(concat(parts), at);
    }
  }
  const length = headers["content-length"];
  if (length === undefined) return ended ? answer(bytes.slice(start), bytes.length) : undefined;
  const end = start + Number(length);
  return bytes.length < end ? undefined : answer(bytes.slice(start, end), end);
}

function indexOf(bytes: Uint8Array, text: string, from: number): number {
  const wanted = [...text].map((letter) => letter.charCodeAt(0));
  for (let at = bytes.indexOf(wanted[0]!, from); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (wanted.every((code, i) => bytes[at + i] === code)) return at;
  }
  return -1;
}

/** A connection that reads what comes; dispose of it to close it. */
export class Connection implements Disposable {
  readonly #socket: Socket;
  readonly #opened = performance.now();
  #received: Uint8Array<ArrayBuffer> = new Uint8Array();
  #wake = () => {};
  #open = true;
  /** How long the server let it live, in milliseconds; undefined while it is open, and where it was closed from this side. */
  closedAfterMs: number | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Uint8Array<ArrayBuffer>) => {
      this.#received = this.#received.length === 0 ? new Uint8Array(bytes) : concat([this.#received, bytes]);
      this.#wake();
    });
    const onEnd = () => {
      if (this.#open) this.closedAfterMs = performance.now() - this.#opened;
      this.#open = false;
      this.#wake();
    };
    socket.on("end", onEnd);
    socket.on("close", onEnd);
  }

  /** Rejects with an `Error` where none is made within `timeoutMs`. */
  static open({ hostname, port, from }: Target, timeoutMs = 30_000): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: hostname,
        port,
        noDelay: true,
        ...(from === undefined ? {} : { localAddress: from }),
      });
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new Error(`Cannot connect to port ${port}: no connection after ${timeoutMs} ms`));
      }, timeoutMs);
      socket.on("error", (error: Error) => { // a reset later on is an end like any other: "close" follows
        clearTimeout(timer);
        reject(error);
      });
      socket.once("connect", () => {
        clearTimeout(timer);
        resolve(new Connection(socket));
      });
    });
  }

  /** Whether neither side has closed it. */
  get open(): boolean {
    return this.#open;
  }

  /** Hands bytes to the system; what cannot be sent is lost, as `open` then says. */
  send(bytes: Uint8Array): void {
    if (this.#open) this.#socket.write(bytes);
  }

  /** Waits for the next answer, to a request whose method is HEAD where `head` says so. */
  async answer(timeoutMs: number, head = false): Promise<Answer | Silence> {
    const end = performance.now() + timeoutMs;
    while (true) {
      const answer = parseAnswer(this.#received, { ended: !this.#open, head });
      if (answer !== undefined) {
        this.#received = this.#received.slice(answer.length);
        return answer;
      }
      if (!this.#open) return "cut";
      const left = end - performance.now();
      if (left <= 0) return "none";
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  [Symbol.dispose](): void {
    this.#open = false;
    this.#socket.destroy();
    this.#wake();
  }
}

/** Sends one request on a connection of its own. `timeoutMs` is from the first attempt to connect to the answer's last byte. */
export async function ask(target: Target, request: Uint8Array, timeoutMs: number, head = false) {
  const started = performance.now();
  let outcome: Answer | Silence = "refused";
  try {
    using connection = await Connection.open(target, timeoutMs);
    connection.send(request);
    outcome = await connection.answer(timeoutMs - (performance.now() - started), head);
  } catch { // no connection
  }
  return { outcome, milliseconds: performance.now() - started };
}

/** What to count an outcome as: the status, or how it came to none. */
export function outcomeName(outcome: Answer | Silence): string {
  return typeof outcome === "string" ? outcome : String(outcome.status);
}
