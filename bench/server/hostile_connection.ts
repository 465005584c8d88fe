/**
 * Sends bytes to a server on a connection of their own.
 * @module
 */
import type { HostileRequest } from "./hostile_requests.ts";

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
