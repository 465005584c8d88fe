/**
 * Requests that are almost right, for every route that a server describes, and what must hold for its answers. The test and the bench
 * (`fuzz.ts`) send the same.
 * @module
 */
import { concat } from "@std/bytes/concat";
import fc from "fast-check";
import { deflateSync, gzipSync } from "node:zlib";
import { type Answer, requestBytes, type Silence } from "../../bench/server/attacks/connection.ts";

/** One request, as it goes on the wire. */
export interface FuzzRequest {
  /** The route that it is for, as the description names it. */
  readonly route: string;
  readonly method: string;
  /** With its query, encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | undefined;
  /** In pieces of this many bytes, without a length. */
  readonly chunk?: number | undefined;
}

/** Whom the requests are for. */
export interface FuzzTarget {
  /** The server's own description, from /openapi.json. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The default model, and one that requests may load and unload. */
  readonly models: readonly [string, string];
  readonly version: string;
  /** The models' input height and width. */
  readonly size: number;
  readonly token: string;
  readonly photos: readonly Uint8Array<ArrayBuffer>[];
  /** What no answer may tell: paths of this machine. */
  readonly secrets: readonly string[];
}

const encode = (text: string) => new TextEncoder().encode(text);

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const ODD_WORDS = [
  "",
  "0",
  "-1",
  "NaN",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "file:///etc/passwd",
  "a\r\nb",
  "\0",
  "💥",
  "%",
  "true",
  "9".repeat(40),
  "x".repeat(3000),
];

const oddWord = () => fc.oneof(fc.constantFrom(...ODD_WORDS), fc.string({ unit: "binary", maxLength: 20 }));

/** Any of them, nine times of ten the first: a request has a dozen such choices. */
function mostly<T>(right: fc.Arbitrary<T>, ...wrong: fc.Arbitrary<T>[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 9 * wrong.length, arbitrary: right },
    ...wrong.map((arbitrary) => ({ weight: 1, arbitrary })),
  );
}

/** An object with some of its values, at any depth, taken away or replaced by any JSON. */
function almost(value: unknown): fc.Arbitrary<unknown> {
  return mostly(
    fc.constant(value),
    fc.infiniteStream(fc.nat(11)).chain((draws) =>
      fc.jsonValue().map((other) => {
        const wear = (one: unknown): unknown => {
          const draw = draws.next().value;
          if (draw === 0) return undefined;
          if (draw === 1) return other;
          // Long data stays as it is: whether it is worn at one place or another is all the same.
          if (Array.isArray(one)) return one.length > 50 ? one : one.map(wear);
          if (typeof one !== "object" || one === null) return one;
          return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, wear(inner)]));
        };
        return wear(value);
      })
    ),
  );
}

/** Bytes of which some are changed, or the end is missing. */
function worn(bytes: Uint8Array<ArrayBuffer>): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const last = Math.max(0, bytes.length - 1);
  return mostly(
    fc.constant(bytes),
    fc.nat(last).map((end) => bytes.slice(0, end)),
    fc.array(fc.tuple(fc.nat(last), fc.nat(255)), { maxLength: 8 }).map((changes) => {
      const copy = bytes.slice();
      for (const [at, value] of changes) copy[at] = value;
      return copy;
    }),
  );
}

type Content = Pick<FuzzRequest, "body" | "headers">;

const noise = (): fc.Arbitrary<Content> =>
  fc.uint8Array({ maxLength: 400 }).map((bytes) => ({ body: new Uint8Array(bytes), headers: {} }));

const jsonContent = (value: unknown): Content => ({
  body: encode(JSON.stringify(value) ?? ""),
  headers: { "content-type": "application/json" },
});

function photoContent({ photos }: FuzzTarget): fc.Arbitrary<Content> {
  const photo = fc.constantFrom(...photos).chain(worn);
  const plain = fc.tuple(
    photo,
    mostly(fc.constant("image/png"), fc.constantFrom("text/html", "image/", "*/*")),
  )
    .map(([body, type]) => ({ body, headers: { "content-type": type } }));
  const field = fc.record({
    name: mostly(fc.constant("image"), oddWord()),
    file: mostly(fc.constant("a.png"), oddWord()),
    body: photo,
    head: mostly(
      fc.constant("Content-Type: image/png\r\n"),
      fc.constantFrom("", "Content-Type\r\n", "Content-Disposition: form-data\r\n", "X: \r\n y\r\n"),
    ),
  });
  const form = fc.record({
    fields: fc.array(field, { maxLength: 4 }),
    boundary: mostly(fc.constant("b"), fc.constantFrom("", "--", "b b", "x".repeat(200))),
    told: mostly(fc.constant("; boundary=b"), fc.constantFrom("", "; boundary=", '; boundary="b', "; b=b")),
    end: mostly(fc.constant("--\r\n"), fc.constantFrom("", "-", "\r\n")),
  }).map(({ fields, boundary, told, end }) => ({
    body: concat([
      ...fields.map(({ name, file, body, head }) =>
        concat([
          encode(
            `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${file}"\r\n${head}\r\n`,
          ),
          body,
          encode("\r\n"),
        ])
      ),
      encode(`--${boundary}${end}`),
    ]),
    headers: { "content-type": `multipart/form-data${told}` },
  }));
  return fc.oneof(plain, form);
}

function inferContent({ size, photos }: FuzzTarget): fc.Arbitrary<Content> {
  const outputs = fc.constantFrom<unknown>(
    undefined,
    [{ name: "class" }],
    [{ name: "logits", parameters: { classification: 2 } }, { name: "probabilities" }],
    [{ name: "logits", parameters: { binary_data: true } }],
  );
  // A whole tensor of a large network would be most of the bytes that are sent.
  const rows = size > 32 ? fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1) : fc.nat(3);
  const shape = (n: number) => [n, 3, size, size];
  const numbers = fc.array(
    fc.oneof(fc.double(), fc.constantFrom(3e38, -3e38, 1e39, 0), fc.string()),
    { maxLength: 40 },
  );
  const inJson = fc.tuple(rows, outputs, numbers, fc.constantFrom(...photos), fc.boolean()).chain(
    ([n, outputs, some, photo, image]) =>
      almost({
        id: "1",
        parameters: { binary_data_output: n === 1 },
        inputs: [
          image ? { name: "image", shape: [1], datatype: "BYTES", data: [photo.toBase64()] } : {
            name: "input",
            shape: shape(n),
            datatype: "FP32",
            data: n === 0 ? some : new Array(n * 3 * size * size).fill(n / 2),
          },
        ],
        outputs,
      }),
  ).map(jsonContent);
  const binary = fc.tuple(rows, outputs, fc.constantFrom(...photos), fc.boolean()).chain(
    ([n, outputs, photo, image]) => {
      const data = image
        ? concat([new Uint8Array(Uint32Array.of(photo.length).buffer), photo])
        : new Uint8Array(n * 3 * size * size * 4);
      const input = {
        name: image ? "image" : "input",
        shape: image ? [1] : shape(n),
        datatype: image ? "BYTES" : "FP32",
        parameters: { binary_data_size: data.length },
      };
      return fc.tuple(
        almost({ inputs: [input], outputs }),
        worn(data),
        mostly(fc.constant(0), fc.integer({ min: -100, max: 100 }), fc.constant(1e12)),
      );
    },
  ).map(([value, data, off]) => {
    const json = encode(JSON.stringify(value) ?? "");
    return {
      body: concat([json, data]),
      headers: {
        "content-type": "application/octet-stream",
        "inference-header-content-length": String(json.length + off),
      },
    };
  });
  return fc.oneof(inJson, binary);
}

function contentFor(path: string, target: FuzzTarget): fc.Arbitrary<Content> {
  const right = path.endsWith("/infer")
    ? inferContent(target)
    : path === "/predict"
    ? photoContent(target)
    : path.includes("repository")
    ? fc.constantFrom({}, { ready: true }, { parameters: { unload_dependents: true } }).chain(almost)
      .map(jsonContent)
    : fc.constant({ headers: {} });
  return mostly(
    right,
    noise(),
    photoContent(target),
    fc.jsonValue().map(jsonContent),
    fc.constant({ headers: {} }),
  );
}

/** Packs the body as it says, or says what is not so. */
function encoded(content: Content): fc.Arbitrary<Content> {
  const { body, headers } = content;
  if (body === undefined) return fc.constant(content);
  const packed = (name: string, bytes: Uint8Array) => ({
    body: new Uint8Array(bytes),
    headers: { ...headers, "content-encoding": name },
  });
  return mostly(
    fc.constant(content),
    fc.constantFrom(
      () => packed("gzip", gzipSync(body)),
      () => packed("deflate", deflateSync(body)),
      () => packed("gzip", gzipSync(body).subarray(0, -5)),
    ).map((pack) => pack()),
    fc.constantFrom("gzip", "deflate", "br", "gzip, gzip", "x", "identity").map((name) => packed(name, body)),
  );
}

/** Header values go on the wire as Latin-1 without line ends: others would be another request. */
const headerWord = () =>
  oddWord().map((text) => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 2000).trim() || "?");

function extraHeaders({ token }: FuzzTarget): fc.Arbitrary<Record<string, string>> {
  const authorization = mostly(
    fc.constant({ authorization: `Bearer ${token}` }),
    fc.constantFrom<Record<string, string>>({}, { authorization: "Bearer" }, { authorization: "Basic YTpi" }),
  );
  const other = fc.tuple(
    fc.constantFrom(
      "accept",
      "accept-encoding",
      "x-request-id",
      "range",
      "if-none-match",
      "x-forwarded-for",
      "forwarded",
      "cookie",
      "x-http-method-override",
      "access-control-request-method",
      "inference-header-content-length",
    ),
    headerWord(),
  );
  const rare = fc.constantFrom<Record<string, string>>(
    { expect: "100-continue" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { host: "evil.example" },
    { "content-type": "a/b; c" },
  );
  return fc.tuple(authorization, fc.array(other, { maxLength: 2 }), mostly(fc.constant({}), rare)).map(
    ([given, others, odd]) => ({ ...given, ...Object.fromEntries(others), ...odd }),
  );
}

/** Any request for the target. */
export function fuzzRequests(target: FuzzTarget): fc.Arbitrary<FuzzRequest> {
  const described = Object.entries(target.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() }))
  );
  const page = ["/", "/docs", "/openapi.json", "/assets/app.js", "/favicon.svg", "/assets/../serve.ts"]
    .map((path) => ({ path, method: "GET" }));
  const odd = fc.webPath().map((path) => ({ path: path || "/", method: "GET" }));
  const route = mostly(fc.constantFrom(...described), fc.constantFrom(...page), odd);
  const query = fc.array(
    fc.tuple(
      fc.constantFrom("topk", "explain", "model", "version", "__proto__", "x"),
      fc.oneof(
        fc.constantFrom("1", "true", target.models[0], target.version, "2"),
        oddWord(),
      ),
    ),
    { maxLength: 3 },
  ).map((pairs) =>
    pairs.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`).join("&")
  );
  return route.chain((route) => {
    // The default model stays: without it every other request would be answered 404.
    const loading = route.path.includes("{model}/load") || route.path.includes("{model}/unload");
    const model = fc.constantFrom(...target.models.slice(loading ? 1 : 0));
    return fc.record({
      method: mostly(fc.constant(route.method), fc.constantFrom(...METHODS)),
      model: mostly(model, oddWord()).filter((name) => !loading || name !== target.models[0]),
      version: mostly(fc.constant(target.version), oddWord()),
      query: mostly(fc.constant(""), query),
      content: contentFor(route.path, target).chain(encoded),
      extra: extraHeaders(target),
      chunk: mostly(fc.constant(undefined), fc.integer({ min: 1, max: 70_000 })),
    }).map(({ method, model, version, query, content, extra, chunk }) => {
      const inPath = (text: string) => encodeURIComponent(text.toWellFormed());
      const path = route.path.replace("{model}", inPath(model)).replace("{version}", inPath(version));
      const { body, headers } = content;
      return {
        route: route.path,
        method,
        path: query === "" ? path : `${path}?${query}`,
        headers: { ...headers, ...extra },
        body,
        // Pieces so small that there would be many thousands of them are no other case.
        chunk: body === undefined || chunk === undefined ? undefined : Math.max(chunk, body.length / 200),
      };
    });
  });
}

/** The request's bytes, for a connection of its own. */
export function toBytes({ method, path, headers, body, chunk }: FuzzRequest): Uint8Array<ArrayBuffer> {
  const all = { ...headers, connection: "close" };
  if (body === undefined) return requestBytes(method, path, { headers: all });
  if (chunk === undefined) return requestBytes(method, path, { headers: all, body });
  const size = Math.ceil(chunk);
  const pieces = Array.from({ length: Math.ceil(body.length / size) }, (_, i) => {
    const piece = body.subarray(i * size, (i + 1) * size);
    return concat([encode(`${piece.length.toString(16)}\r\n`), piece, encode("\r\n")]);
  });
  const head = requestBytes(method, path, { headers: { ...all, "transfer-encoding": "chunked" } });
  return concat([head, ...pieces, encode("0\r\n\r\n")]);
}

const STACK = /(^|\s)at (async )?(file:|ext:|node:|npm:|https?:|Object\b|new |[\w.<>]+ \()/;

/** What is wrong with an answer; empty where nothing is. */
export function problems(request: FuzzRequest, outcome: Answer | Silence, { secrets }: FuzzTarget): string[] {
  if (typeof outcome === "string") return [`no answer (${outcome})`];
  const { status, body } = outcome;
  const text = new TextDecoder().decode(body);
  const found: string[] = [];
  if (status >= 500 && status !== 503 && status !== 504) found.push(`status ${status}`);
  if (STACK.test(text) && status >= 400) found.push("a stack trace");
  for (const secret of secrets) if (text.includes(secret)) found.push(`it tells ${secret}`);
  if (status >= 400 && request.method !== "HEAD") found.push(...wrongError(text));
  return found;
}

function wrongError(text: string): string[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [`an error that is not JSON: ${JSON.stringify(text.slice(0, 100))}`];
  }
  if (typeof json !== "object" || json === null) return ["an error that is no object"];
  if ("ready" in json) return []; // health and readiness tell what they are asked, with 503
  const { error, ...others } = json as { error?: unknown };
  const sentence = typeof error === "string" && /^\p{Lu}/u.test(error) && Object.keys(others).length === 0;
  return sentence ? [] : [`an error of another form: ${text.slice(0, 100)}`];
}
