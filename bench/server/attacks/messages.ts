/**
 * Attacks by messages that are dear to understand: JSON and forms of very many small parts, or of parts that are each worth a long time.
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeJpeg } from "../../../data/shapes/shape_drawing.ts";
import { again, type Attack, type AttackContext } from "./attack.ts";
import { ask, requestBytes } from "./connection.ts";

/** How long the attacker waits for one answer. */
const PATIENCE_MS = 60_000;

const encode = (text: string) => new TextEncoder().encode(text);

/** Sends one request a second, the next one when the last is answered; tells how long the slowest took. */
export async function eachSecond({ target, seconds, count }: AttackContext, request: Uint8Array) {
  let slowestMs = 0;
  await again(seconds, 1000, async () => {
    const { outcome, milliseconds } = await ask(target, request, PATIENCE_MS);
    count(outcome);
    slowestMs = Math.max(slowestMs, Math.round(milliseconds));
  });
  return { bytes: request.length, slowestMs };
}

/** A request whose body is JSON, as text since much of it is no object that one would build. */
export function jsonRequest(path: string, json: string): Uint8Array<ArrayBuffer> {
  const headers = { "Content-Type": "application/json", Connection: "close" };
  return requestBytes("POST", path, { headers, body: encode(json) });
}

/** Names whose values are all of the wrong kind: each is a complaint of its own. */
const wrongParameters = (count: number) => Array.from({ length: count }, (_, i) => `"p${i}":[]`).join(",");

/** A form with the same part again and again in the field for photos. */
export function formRequest(part: Uint8Array<ArrayBuffer>, repeats: number): Uint8Array<ArrayBuffer> {
  const head = encode('--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n');
  const field = concat([head, part, encode("\r\n")]);
  return requestBytes("POST", "/predict", {
    headers: { "Content-Type": "multipart/form-data; boundary=b", Connection: "close" },
    body: concat([...Array.from({ length: repeats }, () => field), encode("--b--\r\n")]),
  });
}

/** The attacks. */
export const messageAttacks: readonly Attack[] = [
  {
    name: "deep JSON to the index, 18 MB",
    what: "nine million nested lists to /v2/repository/index, one a second",
    run: (context) =>
      eachSecond(context, jsonRequest("/v2/repository/index", "[".repeat(9e6) + "]".repeat(9e6))),
  },
  {
    name: "wrong parameters, 12 MB",
    what: "v2 infer with 900,000 parameters of the wrong kind, one a second",
    run: (context) =>
      eachSecond(
        context,
        jsonRequest(
          `/v2/models/${context.model.name}/infer`,
          `{"parameters":{${wrongParameters(900_000)}},"inputs":[]}`,
        ),
      ),
  },
  {
    name: "wrong output parameters, 4 MB",
    what: "v2 infer with an output of 300,000 parameters of the wrong kind, one a second",
    run: (context) =>
      eachSecond(
        context,
        jsonRequest(
          `/v2/models/${context.model.name}/infer`,
          '{"inputs":[{"name":"input","shape":[1],"datatype":"FP32","data":[1]}],' +
            `"outputs":[{"name":"logits","parameters":{${wrongParameters(300_000)}}}]}`,
        ),
      ),
  },
  {
    name: "form of 200,000 parts, 14 MB",
    what: "a form of 200,000 empty photos, one a second",
    run: (context) => eachSecond(context, formRequest(new Uint8Array(), 200_000)),
  },
  {
    name: "form of 200 large photos",
    honestMeans: true,
    what: "a form of 200 photos of 3000 x 3000 pixels in one colour, one a second",
    async run(context) {
      const data = new Uint8Array(3000 * 3000 * 4).fill(99);
      const photo = await encodeJpeg({ width: 3000, height: 3000, data }, { quality: 30 });
      return await eachSecond(context, formRequest(photo, 200));
    },
  },
];
