/** @module */

/**
 * Mesa's Vulkan drivers print an error on every adapter request when XDG_RUNTIME_DIR is unset, as it is in
 * containers. They only look whether it is set, so any existing folder quiets them.
 */
export function silenceRuntimeDirNotice(): void {
  try {
    if (Deno.build.os === "linux" && !Deno.env.get("XDG_RUNTIME_DIR")) {
      Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
    }
  } catch {
    // Without --allow-env the notice stays; nothing else depends on it.
  }
}
