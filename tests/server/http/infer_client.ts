/**
 * Requests of the Open Inference Protocol, put together from its specification.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { FAKE_SIZE } from "../fake_loader.ts";
import { encodePhoto, setUp } from "../fixture.ts";

export const RED = await encodePhoto([200, 10, 10]);
export const GREEN = await encodePhoto([10, 200, 10]);
export const ROW = 3 * FAKE_SIZE * FAKE_SIZE;
export const INFER = "/v2/models/animals/infer";

/** `n` inputs whose channel `k` is 32 times `k + 1` in the first, 0 elsewhere: logits are the means over 32. */
export function tensor(n: number): Float32Array<ArrayBuffer> {
  const data = new Float32Array(n * ROW);
  for (let i = 0; i < ROW; i++) data[i] = 32 * (1 + Math.floor(i / (FAKE_SIZE * FAKE_SIZE)));
  return data;
}

export function floatInput(n: number, data: unknown = Array.from(tensor(n))) {
  return { name: "input", shape: [n, 3, FAKE_SIZE, FAKE_SIZE], datatype: "FP32", data };
}

export type Server = Awaited<ReturnType<typeof setUp>>;

export async function post(server: Server, body: unknown, path = INFER) {
  const response = await server.app.request(path, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  return { status: response.status, json: await response.json() };
}

/** A request in the binary tensor data extension: JSON, then the tensors' bytes. */
export async function postBinary(
  server: Server,
  json: unknown,
  parts: readonly Uint8Array[],
  headerLength?: number,
) {
  const header = new TextEncoder().encode(JSON.stringify(json));
  const body = new Uint8Array(await new Blob([header, ...parts as Uint8Array<ArrayBuffer>[]]).arrayBuffer());
  const response = await server.app.request(INFER, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(headerLength ?? header.length),
    },
  });
  const bytes = await response.bytes();
  const length = Number(response.headers.get("inference-header-content-length") ?? bytes.length);
  const decoded = JSON.parse(new TextDecoder().decode(bytes.subarray(0, length)));
  return { status: response.status, headers: response.headers, json: decoded, rest: bytes.slice(length) };
}

export function bytesTensor(...elements: readonly Uint8Array[]): Uint8Array {
  const parts = elements.flatMap((bytes) => [new Uint8Array(Uint32Array.of(bytes.length).buffer), bytes]);
  return concat(parts);
}
