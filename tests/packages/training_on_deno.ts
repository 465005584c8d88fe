/** Prints the losses of `training_program.ts` as Deno's own WebGPU computes them, for the network that it is told. */
import { Gpu } from "../../engine/gpu.ts";
import { twentySteps } from "./training_program.ts";

using gpu = await Gpu.request();
console.log(JSON.stringify({ name: gpu.name, losses: await twentySteps(gpu, Deno.args[0]!) }));
