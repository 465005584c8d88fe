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
