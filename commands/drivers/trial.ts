/** Opens a device in a process of its own and says which adapter it is, or what is wrong: the driver under trial may crash it. */
import { Gpu, GpuUnavailableError } from "../../engine/gpu.ts";

try {
  using gpu = await Gpu.request();
  console.log(JSON.stringify({ name: gpu.name, kind: gpu.kind }));
} catch (error) {
  if (!(error instanceof GpuUnavailableError)) throw error;
  console.log("null");
}
Deno.exit(0);
