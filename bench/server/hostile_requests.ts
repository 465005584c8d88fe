/**
 * Requests that mean harm, or come from broken clients: reproducible from a seed, and sent on a connection of their own.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { uniform } from "../../engine/random.ts";

/** Valid files to start from, by format. */
export interface Seeds {
  readonly jpeg: Uint8Array<ArrayBuffer>;
  readonly png: Uint8Array<ArrayBuffer>;
}

/** One request: bytes on a connection, and whether the client then waits, hangs up, or goes silent. */
export interface HostileRequest {
  readonly kind: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly then: "read" | "hang up" | "silent";
}

/** The kinds of requests there are; request `i` is of kind `i` modulo their number. */
export const KINDS = [
  "truncated photo",
  "corrupted photo",
  "bomb in PNG",
  "bomb in JPEG",
  "bomb in GIF",
  "noise",
  "wrong type",
  "huge header",
  "many headers",
  "length too small",
  "length too large",
  "negative length",
  "two lengths",
  "broken chunks",
  "hang up in the body",
  "slow body",
  "broken form",
  "wrong JSON",
  "NaN tensor",
  "huge shape",
  "lying header length",
  "no HTTP",
  "odd path",
  "wrong method",
] as const;

/** Request number `i` for the model of that name whose input is `size` pixels square. */
export function hostileRequest(
  i: number,
  seed: number,
  seeds: Seeds,
  model: string,
  size: number,
): HostileRequest {
  let draws = 0;
  const random = () => uniform(seed, 0x4057, i, draws++);
  const kind = KINDS[i % KINDS.length]!;
  const photo = random() < 0.5 ? seeds.jpeg : seeds.png;
  const predict = (body: Uint8Array, headers = "") => ({
    kind,
    bytes: post("/predict", body, headers),
    then: "read" as const,
  });
  const infer = (json: string, rest = new Uint8Array(0), headers = "") => {
    const body = concat([encode(json), rest]);
    return { kind, bytes: post(`/v2/models/${model}/infer`, body, headers), then: "read" as const };
  };
  const raw = (text: string, body = new Uint8Array(0), then: HostileRequest["then"] = "read") => ({
    kind,
    bytes: concat([encode(text.replaceAll("\n", "\r\n")), body]),
    then,
  });
  const posted = (headers: string, body = new Uint8Array(0), then: HostileRequest["then"] = "read") =>
    raw(`POST /predict HTTP/1.1\nHost: 127.0.0.1\n${headers}\n\n`, body, then);
  switch (kind) {
    case "truncated photo":
      return predict(photo.subarray(0, Math.floor(random() * photo.length)));
    case "corrupted photo": {
      const bytes = photo.slice();
      for (let n = 0; n < 20; n++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      return predict(bytes);
    }
    case "bomb in PNG":
      return predict(withSize(seeds.png, "png"));
    case "bomb in JPEG":
      return predict(withSize(seeds.jpeg, "jpeg"));
    case "bomb in GIF":
      return predict(gifBomb());
    case "noise":
      return predict(noise(Math.floor(random() * 5000), random));
    case "wrong type":
      return predict(encode("<svg xmlns='http://www.w3.org/2000/svg'/>"), "Content-Type: image/jpeg\r\n");
    case "huge header":
      return raw(
        `GET /health HTTP/1.1\nHost: 127.0.0.1\nX-Filler: ${
          "a".repeat(20_000 + Math.floor(random() * 2e6))
        }\n\n`,
      );
    case "many headers":
      return raw(`GET /health HTTP/1.1\nHost: 127.0.0.1\n${"X-A: b\n".repeat(3000)}\n`);
    case "length too small":
      return posted("Content-Length: 10\nConnection: close", photo);
    case "length too large":
      return posted(`Content-Length: ${photo.length + 1000}`, photo, "hang up");
    case "negative length":
      return posted(`Content-Length: -${1 + Math.floor(random() * 99)}`, photo);
    case "two lengths":
      return posted("Content-Length: 5\nContent-Length: 6", photo);
    case "broken chunks":
      return raw("POST /predict HTTP/1.1\nHost: 127.0.0.1\nTransfer-Encoding: chunked\n\nzz\nabc\n0\n\n");
    case "hang up in the body": {
      const part = photo.slice(0, Math.floor(random() * photo.length));
      return posted(`Content-Length: ${photo.length}`, part, "hang up");
    }
    case "slow body":
      return posted(`Content-Length: ${photo.length}`, photo.slice(0, 10), "silent");
    case "broken form": {
      const form = `--b\nContent-Disposition: form-data; name="image"; filename="${
        "x".repeat(Math.floor(random() * 3000))
      }"\n\n`;
      const body = concat([
        encode(form.replaceAll("\n", "\r\n")),
        photo.subarray(0, 200),
        encode(random() < 0.5 ? "" : "\r\n--b"),
      ]);
      return predict(body, "Content-Type: multipart/form-data; boundary=b\r\n");
    }
    case "wrong JSON": {
      const samples = [
        "{",
        "null",
        "[]",
        '{"inputs":{}}',
        '{"inputs":[{"name":"input"}]}',
        "[".repeat(100_000),
        '{"__proto__":{"a":1},"inputs":[]}',
        `{"inputs":[{"name":"input","shape":[1,3,${size},${size}],"datatype":"FP32","data":["NaN"]}]}`,
      ];
      return infer(samples[Math.floor(random() * samples.length)]!);
    }
    case "NaN tensor": {
      const values = new Float32Array(3 * size * size).fill(random() < 0.5 ? NaN : Infinity);
      const json =
        `{"inputs":[{"name":"input","shape":[1,3,${size},${size}],"datatype":"FP32","parameters":{"binary_data_size":${values.byteLength}}}]}`;
      return infer(
        json,
        new Uint8Array(values.buffer),
        `Inference-Header-Content-Length: ${json.length}\r\n`,
      );
    }
    case "huge shape":
      return infer(
        '{"inputs":[{"name":"input","shape":[4294967295,3,65535,65535],"datatype":"FP32","data":[0]}]}',
      );
    case "lying header length":
      return infer(
        "{}",
        new Uint8Array(10),
        `Inference-Header-Content-Length: ${Math.floor(random() * 1e12)}\r\n`,
      );
    case "no HTTP":
      return { kind, bytes: noise(200 + Math.floor(random() * 2000), random), then: "hang up" };
    case "odd path":
      return raw(
        `GET /${"%2e%2e/".repeat(20)}etc/passwd?a=${
          "%ff".repeat(50)
        } HTTP/1.1\nHost: [::bad\nConnection: close\n\n`,
      );
    case "wrong method":
      return raw(`BREW /predict HTTP/1.1\nHost: 127.0.0.1\nConnection: close\nContent-Length: 3\n\nabc`);
  }
}

/** The same file with a header that says 20,000 by 20,000 pixels. */
function withSize(bytes: Uint8Array<ArrayBuffer>, format: "png" | "jpeg"): Uint8Array<ArrayBuffer> {
  const bomb = bytes.slice();
  const view = new DataView(bomb.buffer);
  if (format === "png") {
    view.setUint32(16, 20_000);
    view.setUint32(20, 20_000);
    return bomb;
  }
  for (let at = 2; at < bomb.length;) {
    const marker = bomb[at + 1]!;
    if (marker >= 0xc0 && marker <= 0xc2) {
      view.setUint16(at + 5, 20_000);
      view.setUint16(at + 7, 20_000);
      return bomb;
    }
    at += 2 + view.getUint16(at + 2);
  }
  throw new Error("Cannot make a bomb: the JPEG has no frame header");
}

/** A GIF of 20,000 by 20,000 pixels with almost no data. */
function gifBomb(): Uint8Array<ArrayBuffer> {
  const size = [0x20, 0x4e, 0x20, 0x4e];
  const screen = Uint8Array.of(...size, 0xf0, 0, 0, 0, 0, 0, 255, 255, 255);
  return concat([
    encode("GIF89a"),
    screen,
    Uint8Array.of(0x2c, 0, 0, 0, 0, ...size, 0, 2, 2, 0x4c, 1, 0, 0x3b),
  ]);
}

function post(path: string, body: Uint8Array, headers: string): Uint8Array<ArrayBuffer> {
  const head =
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${headers}Content-Length: ${body.length}\r\n\r\n`;
  return concat([encode(head), body]);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function noise(length: number, random: () => number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map(() => Math.floor(random() * 256));
}

/** Sends it; the answer's status, or undefined where none came. A silent client hangs up after `patienceMs`. */
export async function sendHostile(
  { bytes, then }: HostileRequest,
  { hostname, port, patienceMs }: { hostname: string; port: number; patienceMs: number },
): Promise<number | undefined> {
  const connection = await Deno.connect({ hostname, port });
  const timer = setTimeout(() => close(), then === "silent" ? patienceMs : 60_000);
  let open = true;
  const close = () => {
    if (open) connection.close();
    open = false;
  };
  try {
    const sent = (async () => {
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    })();
    if (then === "hang up") {
      await sent;
      return undefined;
    }
    sent.catch(() => {}); // servers may answer before they have read everything
    const buffer = new Uint8Array(64);
    const length = await connection.read(buffer) ?? 0;
    const status = /^HTTP\/1\.1 (\d{3})/.exec(new TextDecoder().decode(buffer.subarray(0, length)));
    await sent.catch(() => {});
    return status === null ? undefined : Number(status[1]);
  } catch {
    return undefined; // cut off
  } finally {
    clearTimeout(timer);
    close();
  }
}
