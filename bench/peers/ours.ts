/** This project as a contender, see `our_work.ts`. */
import { Gpu } from "../../engine/gpu.ts";
import { prepareOurs } from "./our_work.ts";
import { serveContender } from "./protocol.ts";

const gpu = await Gpu.request();
await serveContender("alexnet-webgpu", (task) => prepareOurs(gpu, task));
