/**
 * Checkpoints in an object store that speaks Amazon's S3 (AWS, MinIO, Garage, Ceph, R2 …) or on any web server: fetched once, verified, and
 * kept in a folder by address and version, so that many servers start from their own disk.
 * @module
 */
import { AwsClient } from "aws4fetch";
import { createHash } from "node:crypto";
import { basename, join } from "@std/path";
import { cachePlace } from "../../data/cache_folder.ts";
import { UserError } from "../../engine/errors.ts";

/** A checkpoint that could not be fetched, or is not what it should be. */
export class RemoteCheckpointError extends UserError {
  /** The class's name. */
  override readonly name = "RemoteCheckpointError";
}

/** How a store is reached; the names are those of Amazon's own tools. */
export interface StoreAccess {
  /** AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL: the store's address; default: Amazon's of the region. */
  readonly endpoint?: string | undefined;
  /** AWS_REGION or AWS_DEFAULT_REGION; default us-east-1. */
  readonly region?: string | undefined;
  /** AWS_ACCESS_KEY_ID; without it requests are not signed. */
  readonly keyId?: string | undefined;
  /** AWS_SECRET_ACCESS_KEY. */
  readonly secret?: string | undefined;
  /** AWS_SESSION_TOKEN. */
  readonly token?: string | undefined;
}

/** `StoreAccess` as the environment has it. */
export function accessFrom(get: (name: string) => string | undefined): StoreAccess {
  return {
    endpoint: get("AWS_ENDPOINT_URL_S3") ?? get("AWS_ENDPOINT_URL"),
    region: get("AWS_REGION") ?? get("AWS_DEFAULT_REGION"),
    keyId: get("AWS_ACCESS_KEY_ID"),
    secret: get("AWS_SECRET_ACCESS_KEY"),
    token: get("AWS_SESSION_TOKEN"),
  };
}

/** Whether a text names something that is to be fetched. */
export function isRemote(text: string): boolean {
  return /^(s3|https?):\/\//.test(text);
}

/** What is fetched. */
export interface Fetched {
  /** The file, whole and verified. */
  readonly path: string;
  /** Whether it was there already. */
  readonly cached: boolean;
  /** How it was verified, as a phrase for people. */
  readonly verified: string;
}

/**
 * The checkpoint at `s3://BUCKET/KEY` or `https://…`, from `folder` where the store's version of it lies there. `#sha256=…` at the end of the
 * address says what its hash must be; else the store's own checksum is what is verified: x-amz-checksum-sha256, or an ETag that is an MD5.
 * Throws a `RemoteCheckpointError` that names the address, and leaves nothing half-written.
 */
export async function fetchCheckpoint(
  address: string,
  { access = {}, folder = cachePlace("checkpoints") }: {
    readonly access?: StoreAccess;
    readonly folder?: string;
  } = {},
): Promise<Fetched> {
  const [plain = "", fragment = ""] = address.split("#", 2);
  const wanted = /^sha256=([0-9a-f]{64})$/i.exec(fragment)?.[1]?.toLowerCase();
  if (fragment !== "" && !wanted) {
    throw failure(plain, `#${fragment} is no #sha256= and 64 hexadecimal digits`);
  }
  const request = requester(plain, access);
  const head = await request("HEAD");
  const version = wanted ?? head.headers.get("etag") ?? head.headers.get("last-modified") ?? "";
  const place = join(folder, createHash("sha256").update(`${plain}\n${version}`).digest("hex").slice(0, 16));
  const path = join(place, basename(new URL(plain).pathname) || "checkpoint.safetensors");
  const known = await Deno.readTextFile(`${path}.sha256`).catch(() => undefined);
  if (version !== "" && known !== undefined && await hashOf(path) === known) {
    return { path, cached: true, verified: `SHA-256 ${known.slice(0, 12)}… of the kept file` };
  }
  const response = await request("GET");
  await Deno.mkdir(place, { recursive: true });
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const found = await save(response, temporary, plain);
    const verified = verify(found, response.headers, wanted, plain);
    await Deno.rename(temporary, path);
    await Deno.writeTextFile(`${path}.sha256`, found.sha256);
    return { path, cached: false, verified };
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/** What a file's bytes are. */
interface Digests {
  readonly sha256: string;
  readonly md5: string;
  readonly bytes: number;
}

function failure(address: string, reason: string): RemoteCheckpointError {
  return new RemoteCheckpointError(`Cannot fetch ${address}: ${reason}`);
}

/** What asks for the address, signed where it is a store's and a key is given. */
function requester(address: string, access: StoreAccess): (method: "GET" | "HEAD") => Promise<Response> {
  const { keyId, secret, token, region = "us-east-1", endpoint } = access;
  const s3 = /^s3:\/\/([^/]+)\/(.+)$/.exec(address);
  if (address.startsWith("s3:") && !s3) throw failure(address, "wanted s3://BUCKET/KEY");
  // The bucket stands in the path, as every store takes it.
  const url = s3
    ? `${(endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/$/, "")}/${s3[1]}/${
      s3[2]!.split("/").map(encodeURIComponent).join("/")
    }`
    : address;
  const client = s3 && keyId && secret
    ? new AwsClient({
      ...{ accessKeyId: keyId, secretAccessKey: secret, service: "s3", region, retries: 4 },
      ...token !== undefined && { sessionToken: token },
    })
    : undefined;
  return async (method) => {
    // Stores tell their SHA-256 only if asked.
    const headers = s3 ? { "x-amz-checksum-mode": "ENABLED" } : {};
    let response: Response;
    try {
      response = await (client ? client.fetch(url, { method, headers }) : fetch(url, { method, headers }));
    } catch (error) {
      throw failure(address, (error as Error).message);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    const hint = response.status === 403
      ? "; the key may not read it, or AWS_SECRET_ACCESS_KEY is wrong"
      : "";
    throw failure(address, `the store answered ${response.status}${hint}`);
  };
}

/** Writes an answer's body to a file; throws where it is shorter than it was announced. */
async function save(response: Response, path: string, address: string): Promise<Digests> {
  const sha256 = createHash("sha256"), md5 = createHash("md5");
  let bytes = 0;
  {
    using file = await Deno.open(path, { write: true, createNew: true });
    try {
      for await (const piece of response.body ?? []) {
        sha256.update(piece);
        md5.update(piece);
        bytes += piece.length;
        for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
      }
    } catch (error) {
      throw failure(address, `the connection ended after ${bytes} bytes (${(error as Error).message})`);
    }
    await file.sync();
  }
  const announced = Number(response.headers.get("content-length") ?? bytes);
  if (announced !== bytes) throw failure(address, `${bytes} bytes came of ${announced}`);
  return { sha256: sha256.digest("hex"), md5: md5.digest("hex"), bytes };
}

/** How the bytes were verified; throws where they are others. */
function verify(
  { sha256, md5, bytes }: Digests,
  headers: Headers,
  wanted: string | undefined,
  address: string,
): string {
  const refuse = (what: string, expected: string, found: string) => {
    throw failure(address, `${what} is ${found}, wanted ${expected}: the file is damaged or another one`);
  };
  if (wanted !== undefined) {
    if (wanted !== sha256) refuse("its SHA-256", wanted, sha256);
    return "SHA-256 of the address";
  }
  const checksum = headers.get("x-amz-checksum-sha256");
  // That of an upload in parts is a hash of hashes and ends in their number.
  if (checksum !== null && !checksum.includes("-")) {
    const found = Uint8Array.fromHex(sha256).toBase64();
    if (checksum !== found) refuse("its SHA-256", checksum, found);
    return "the store's SHA-256";
  }
  const etag = /^"?([0-9a-f]{32})"?$/.exec(headers.get("etag") ?? "")?.[1];
  if (etag !== undefined) {
    if (etag !== md5) refuse("its MD5", etag, md5);
    return "the store's MD5 (ETag)";
  }
  return `length alone (${bytes} bytes): the store tells no checksum of it`;
}

async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    using file = await Deno.open(path);
    for await (const piece of file.readable) hash.update(piece);
  } catch {
    return undefined;
  }
  return hash.digest("hex");
}
