/**
 * Receives a request's body within the server's limits.
 * @module
 */
import type { Context } from "hono";
import { type AppContext, type Env, note } from "./context.ts";
import { readBody } from "./request_body.ts";

/** A body, counted against the memory for bodies until it is disposed of. */
export interface ReceivedBody extends Disposable {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The whole body; throws as `readBody` does. */
export async function receiveBody(
  c: Context<Env>,
  { bodies, limits, metrics }: AppContext,
): Promise<ReceivedBody> {
  const share = bodies.open();
  try {
    const started = performance.now();
    const { maxBodyBytes: maxBytes, bodyTimeoutMs: timeoutMs } = limits;
    const bytes = await readBody(c.req.raw, { maxBytes, timeoutMs }, share);
    metrics.stages.observe({ stage: "body" }, (performance.now() - started) / 1000);
    note(c, { bytes: bytes.length });
    return { bytes, [Symbol.dispose]: () => share[Symbol.dispose]() };
  } catch (error) {
    share[Symbol.dispose]();
    throw error;
  }
}
