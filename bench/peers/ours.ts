/** This project as a contender, see `our_work.ts`. */
import { requestTunedGpu } from "../../model/tuned_gpu.ts";
import { prepareOurs } from "./our_work.ts";
import { serveContender } from "./protocol.ts";

// With the tiles that `deno task tune` has found, if it was run: as `train` works.
const gpu = await requestTunedGpu();
await serveContender("alexnet-webgpu", (task) => prepareOurs(gpu, task));
