import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash, createHmac } from "node:crypto";
import { accessFrom, fetchCheckpoint, RemoteCheckpointError } from "../../../model/checkpoint/remote.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const KEY = { keyId: "AKID", secret: "wJalr/secret" };
const hex = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** Whether a request is signed with the key: Amazon's Signature Version 4, worked out anew from what came. */
function isSigned(request: Request, region: string): boolean {
  const found = request.headers.get("authorization") ?? "";
  const parts =
    /^AWS4-HMAC-SHA256 Credential=AKID\/(\d+)\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/
      .exec(found);
  if (!parts) return false;
  const [, date = "", signedRegion, names = "", signature] = parts;
  const url = new URL(request.url), time = request.headers.get("x-amz-date") ?? "";
  const headers = names.split(";").map((name) => `${name}:${request.headers.get(name) ?? ""}\n`).join("");
  const canonical = [
    request.method,
    url.pathname,
    "",
    headers,
    names,
    request.headers.get("x-amz-content-sha256"),
  ].join("\n");
  const scope = `${date}/${region}/s3/aws4_request`;
  const hmac = (key: string | Uint8Array, text: string) => createHmac("sha256", key).update(text).digest();
  const key = [region, "s3", "aws4_request"].reduce<Uint8Array>(hmac, hmac(`AWS4${KEY.secret}`, date));
  const wanted = createHmac("sha256", key).update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${hex(canonical)}`)
    .digest("hex");
  return signedRegion === region && wanted === signature;
}

interface Stored {
  bytes: Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
  /** What it sends of them. */
  sends?: Uint8Array<ArrayBuffer>;
}

/** A store with one bucket, and a folder to fetch into; both are gone afterwards. */
async function withStore(
  work: (
    store: {
      files: Map<string, Stored>;
      asked: string[];
      access: ReturnType<typeof accessFrom>;
      folder: string;
    },
  ) => Promise<void>,
) {
  const files = new Map<string, Stored>(), asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (!isSigned(request, "eu-1")) return new Response("SignatureDoesNotMatch", { status: 403 });
    const file = files.get(pathname);
    asked.push(`${request.method} ${pathname}`);
    if (!file) return new Response("NoSuchKey", { status: 404 });
    const md5 = createHash("md5").update(file.bytes).digest("hex");
    const headers = { etag: `"${md5}"`, ...file.headers };
    return new Response(request.method === "HEAD" ? null : file.sends ?? file.bytes, { headers });
  });
  const folder = await Deno.makeTempDir();
  const environment: Record<string, string> = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${server.addr.port}`,
    AWS_REGION: "eu-1",
    AWS_ACCESS_KEY_ID: KEY.keyId,
    AWS_SECRET_ACCESS_KEY: KEY.secret,
  };
  try {
    await work({ files, asked, folder, access: accessFrom((name) => environment[name]) });
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

const BYTES = crypto.getRandomValues(new Uint8Array(50_000));
const names = async (folder: string) =>
  (await Array.fromAsync(Deno.readDir(folder))).flatMap((
    { name },
  ) => [...Deno.readDirSync(`${folder}/${name}`)]).map(({ name }) => name);

test("a checkpoint in a store is fetched with a signed request, verified, and fetched again only when it was replaced", () =>
  withStore(async ({ files, asked, access, folder }) => {
    files.set("/models/some%20run/best.safetensors", { bytes: BYTES });
    const address = "s3://models/some run/best.safetensors";
    const first = await fetchCheckpoint(address, { access, folder });
    assertEquals(await Deno.readFile(first.path), BYTES);
    assertEquals([first.cached, first.verified], [false, "the store's MD5 (ETag)"]);
    const again = await fetchCheckpoint(address, { access, folder });
    assertEquals([again.path, again.cached], [first.path, true]);
    assertEquals(asked.map((line) => line.slice(0, 4)), ["HEAD", "GET ", "HEAD"]);
    // What lies there is verified, too.
    await Deno.writeFile(first.path, BYTES.subarray(1));
    assertEquals((await fetchCheckpoint(address, { access, folder })).cached, false);
    files.set("/models/some%20run/best.safetensors", { bytes: BYTES.slice(7) });
    const replaced = await fetchCheckpoint(address, { access, folder });
    assertEquals([replaced.cached, replaced.path === first.path], [false, false]);
    assertEquals(await Deno.readFile(replaced.path), BYTES.slice(7));
  }));

test("a checkpoint that is not what the store or the address says is refused, and nothing of it is left", () =>
  withStore(async ({ files, access, folder }) => {
    const refused = async (words: string, address = "s3://models/a.safetensors") => {
      await assertRejects(() => fetchCheckpoint(address, { access, folder }), RemoteCheckpointError, words);
      assertEquals(await names(folder), []);
    };
    const damaged = BYTES.slice();
    damaged[999]! ^= 1;
    files.set("/models/a.safetensors", { bytes: BYTES, sends: damaged });
    await refused("its MD5 is");
    const checksum = new Uint8Array(createHash("sha256").update(BYTES).digest()).toBase64();
    files.set("/models/a.safetensors", { bytes: damaged, headers: { "x-amz-checksum-sha256": checksum } });
    await refused("its SHA-256 is");
    files.set("/models/a.safetensors", { bytes: BYTES });
    await refused("its SHA-256 is", `s3://models/a.safetensors#sha256=${hex(damaged)}`);
    await refused("no #sha256=", "s3://models/a.safetensors#sha256=12");
    await refused("answered 404", "s3://models/b.safetensors");
    await assertRejects(
      () => fetchCheckpoint("s3://models/a.safetensors", { access: { ...access, secret: "other" }, folder }),
      RemoteCheckpointError,
      "answered 403; the key may not read it",
    );
    // With the right hash it is taken.
    const { verified } = await fetchCheckpoint(`s3://models/a.safetensors#sha256=${hex(BYTES)}`, {
      access,
      folder,
    });
    assert(verified === "SHA-256 of the address");
  }));
