/**
 * The memory of another process.
 * @module
 */

/** Resident bytes of a process and all its descendants, on Linux. Rejects where there is no such process. */
export async function residentBytes(pid: number): Promise<number> {
  const children = new Map<number, number[]>();
  const own = new Map<number, number>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await Deno.readTextFile(`/proc/${name}/status`).catch(() => ""); // it may have ended meanwhile
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
    own.set(Number(name), Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
    children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  if (!own.has(pid)) throw new Error(`Cannot read the memory of process ${pid}: it does not run`);
  const sum = (one: number): number =>
    (own.get(one) ?? 0) + (children.get(one) ?? []).reduce((a, child) => a + sum(child), 0);
  return sum(pid);
}

/** A moment's memory. */
export interface MemorySample {
  /** Since watching began. */
  readonly seconds: number;
  /** Resident memory of the process and its descendants. */
  readonly residentMB: number;
}

/** Looks at a process's memory again and again until it is disposed of. */
export function watchMemory(pid: number, everyMs: number): { samples: MemorySample[] } & Disposable {
  const samples: MemorySample[] = [];
  const started = performance.now();
  const look = async () => {
    const bytes = await residentBytes(pid).catch(() => undefined); // it may have ended
    if (bytes !== undefined) {
      samples.push({ seconds: (performance.now() - started) / 1000, residentMB: bytes / 1e6 });
    }
  };
  const timer = setInterval(look, everyMs);
  return { samples, [Symbol.dispose]: () => clearInterval(timer) };
}

/** The mean resident memory of the samples in a part of the time: 0 is the beginning, 1 the end. Null where there is none. */
export function meanMB(samples: readonly MemorySample[], from: number, to: number): number | null {
  const end = samples.at(-1)?.seconds ?? 0;
  const chosen = samples.filter(({ seconds }) => seconds >= from * end && seconds <= to * end);
  if (chosen.length === 0) return null;
  return Math.round(chosen.reduce((sum, { residentMB }) => sum + residentMB, 0) / chosen.length);
}
