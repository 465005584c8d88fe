/**
 * Watches the checkpoints on disk.
 * @module
 */
import type { ModelRegistry } from "./registry.ts";

/**
 * Loads a model again soon after its file was replaced. Looks at the files instead of asking the system for events: that also works
 * on network drives and container mounts, and one look a second costs nothing. Dispose of it to stop.
 */
export function watchCheckpoints(registry: ModelRegistry, intervalMs: number): Disposable {
  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    await registry.reloadChanged().finally(() => looking = false);
  }, intervalMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
