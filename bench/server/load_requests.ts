/**
 * What load on a model server consists of.
 * @module
 */
import { walkPhotos } from "../steps/photo_data.ts";

/** Photos to classify, tensors in the binary tensor data extension or as JSON, or one address again and again. */
export const MODES = ["photo", "tensor", "tensor-json", "get"] as const;

/** One of them. */
export type Mode = typeof MODES[number];

/** Which requests to send to which server. */
export interface RequestOptions {
  readonly url: URL;
  readonly mode: Mode;
  /** Folder of photos, for `photo`. */
  readonly photos?: string | undefined;
  /** How many of them; default 64. */
  readonly maxPhotos?: number;
  /** Inputs of each tensor request; default 1. */
  readonly batch?: number;
  /** What to ask for with `get`; default /health. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The request to send as number `i`. */
export type MakeRequest = (i: number) => { readonly path: string; readonly init?: RequestInit };

/** Prepares the requests, so that sending costs little. Rejects with an `Error` where there is no photo. */
export async function makeRequests(options: RequestOptions): Promise<MakeRequest> {
  const { mode, photos: folder, maxPhotos = 64, path = "/health", headers = {} } = options;
  if (mode === "get") return () => ({ path, init: { headers } });
  if (mode !== "photo") {
    const { name, body, extra } = await tensorRequest(options);
    const init = { method: "POST", headers: { ...headers, ...extra }, body };
    return () => ({ path: `/v2/models/${name}/infer`, init });
  }
  if (folder === undefined) throw new Error("Cannot send photos: --mode photo needs --photos DIR");
  const photos = await walkPhotos(folder, maxPhotos);
  if (photos.length === 0) throw new Error(`Cannot send photos: there is none in ${folder}`);
  return (i) => ({
    path: "/predict",
    init: { method: "POST", headers, body: photos[i % photos.length]! },
  });
}

/** A tensor of the default model's size. */
async function tensorRequest({ url, mode, batch = 1, headers = {} }: RequestOptions) {
  const { name, preprocess: { height, width } } = await (await fetch(new URL("/model", url), { headers }))
    .json();
  const values = new Float32Array(batch * 3 * height * width).map((_, i) => Math.sin(i));
  const input = { name: "input", shape: [batch, 3, height, width], datatype: "FP32" };
  if (mode === "tensor-json") {
    const body = JSON.stringify({ inputs: [{ ...input, data: Array.from(values) }] });
    return { name, body, extra: { "content-type": "application/json" } };
  }
  const json = JSON.stringify({
    inputs: [{ ...input, parameters: { binary_data_size: values.byteLength } }],
  });
  const body = await new Blob([json, values]).arrayBuffer();
  return {
    name,
    body,
    extra: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(json.length),
    },
  };
}
