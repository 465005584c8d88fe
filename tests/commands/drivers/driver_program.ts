/** Opens a device, in a Worker where it is told to, and says which driver it took; then waits for its input's end. */
import { Gpu } from "../../../engine/gpu.ts";

const answer = async () => {
  using gpu = await Gpu.request();
  return JSON.stringify({ adapter: gpu.name, driver: gpu.driver });
};

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  self.postMessage(await answer());
} else {
  const text = Deno.args.includes("--worker")
    ? await new Promise<string>((resolve) => {
      new Worker(import.meta.url, { type: "module" }).onmessage = ({ data }) => resolve(data);
    })
    : await answer();
  console.log(text);
  for await (const _ of Deno.stdin.readable) { /* until whoever started this has looked */ }
  Deno.exit(0);
}
