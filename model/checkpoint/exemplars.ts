/**
 * What a checkpoint keeps of training photos, so that others can be compared with them: the moments of some of the network's maps. In the
 * file they are a string of `__metadata__`, so that the tensors are the weights alone.
 * @module
 */
import { z } from "zod";
import { CheckpointError } from "./error.ts";

/** Training photos as the network sees them, a byte for each of their values. */
export interface Exemplars {
  /** Full names of the layers whose maps are compared. */
  readonly maps: readonly string[];
  /** The mean of each value over the training photos. */
  readonly mean: Float32Array;
  /** Its standard deviation over them; 1 where they are all alike. */
  readonly deviation: Float32Array;
  /** [photos, values]: each value in deviations from the mean, from -`REACH` (0) to `REACH` (255). */
  readonly data: Uint8Array;
}

/** Values further than this many deviations from their mean count as so far. */
export const REACH = 8;

const base64 = z.base64();
const schema = z.object({
  maps: z.array(z.string().min(1)).min(1),
  mean: base64,
  deviation: base64,
  data: base64,
});

/** The string that stands for them. */
export function encodeExemplars({ maps, mean, deviation, data }: Exemplars): string {
  const text = (values: Float32Array | Uint8Array) =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64();
  return JSON.stringify({ maps, mean: text(mean), deviation: text(deviation), data: text(data) });
}

/** Reads what `encodeExemplars` wrote; throws a `CheckpointError` that calls the file `name`. */
export function decodeExemplars(text: string, name: string): Exemplars {
  const fail = () => new CheckpointError(`Cannot use ${name}: its exemplars are no list of moments of maps`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fail();
  }
  const read = schema.safeParse(json);
  if (!read.success) throw fail();
  const bytes = (value: string) => Uint8Array.fromBase64(value);
  const floats = (value: string) => new Float32Array(bytes(value).buffer);
  const { maps } = read.data, data = bytes(read.data.data);
  if ([read.data.mean, read.data.deviation].some((value) => bytes(value).length % 4 > 0)) throw fail();
  const mean = floats(read.data.mean), deviation = floats(read.data.deviation);
  const whole = mean.length > 0 && deviation.length === mean.length && data.length > 0 &&
    data.length % mean.length === 0;
  if (!whole || !mean.every(Number.isFinite) || !deviation.every((d) => d > 0 && Number.isFinite(d))) {
    throw fail();
  }
  return { maps, mean, deviation, data };
}
