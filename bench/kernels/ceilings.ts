/**
 * What this adapter can do at most, measured, and what a launch has to do at least: together the share of a ceiling that it reaches.
 * @module
 */
import type { Gpu } from "../../engine/gpu.ts";
import type { Launch } from "../../engine/kernel.ts";
import { elementwise } from "../../engine/kernels/prelude/prelude.ts";
import { Plan } from "../../engine/plan.ts";
import { type Clock, timeLaunches } from "../../engine/profile.ts";
import { Tensor, writeTensor } from "../../engine/tensor.ts";
import wgsl from "./ceilings.wgsl" with { type: "text" };

/** Ceilings of an adapter. */
export interface Ceilings {
  /** 1e9 additions and multiplications a second (a fused multiply-add is two), nothing but registers involved. */
  readonly gigaflops: number;
  /** 1e9 bytes a second, read and written, of a copy that no cache holds. */
  readonly gigabytes: number;
}

/** Bytes of the copy's two tensors together; more than caches hold, less than small devices have. */
const COPY_BYTES = 2 ** 27;

/** Kernels of the register ceiling: independent vectors, and multiply-adds on each of them in one turn of the loop. */
const CHAINS = [[2, 32], [3, 8], [4, 8]] as const;

/** Kernels of the memory ceiling: vectors that one invocation copies. */
const COPIES = [1, 4] as const;

/** A launch and what it does. */
interface Measured {
  readonly launch: Launch;
  readonly work: number;
}

/** The launches of both ceilings, with their multiply-adds as two operations each, and their bytes. */
export function ceilingLaunches(plan: Plan, quick: boolean): { arithmetic: Measured[]; memory: Measured[] } {
  const { gpu } = plan;
  const groups = gpu.kind === "cpu" ? 128 : 4096, GROUP = 64;
  // Multiply-adds on each vector; llvmpipe ends loops after 65,536 turns.
  const depth = quick ? 512 : 4096;
  const factors = plan.tensor([12], "factors"), y = plan.tensor([groups * GROUP * 4], "y");
  writeTensor(gpu, factors, new Float32Array(12).fill(0.999, 0, 4).fill(0.001, 4));
  const arithmetic = CHAINS.map(([chains, unrolled]) => ({
    launch: {
      name: `ceilings.chains${chains}`,
      wgsl,
      tensors: [factors, y],
      constants: { GROUP, ROUNDS: depth / unrolled },
      grid: [groups, 1, 1] as const,
    },
    work: groups * GROUP * depth * chains * 4 * 2,
  }));
  const length = quick ? 2 ** 16 : COPY_BYTES / 8;
  const tensors = [plan.tensor([length], "copied from"), plan.tensor([length], "copied to")];
  const memory = COPIES.map((vectors) => {
    const { grid, constants: { GROUP } } = elementwise(length / 4 / vectors);
    return {
      launch: { name: `ceilings.copy${vectors}`, wgsl, tensors, constants: { GROUP }, grid },
      work: length * 8,
    };
  });
  return { arithmetic, memory };
}

/** Measures both ceilings in about two seconds; `quick` is too short to mean anything. */
export async function measureCeilings(gpu: Gpu, clock: Clock, quick: boolean): Promise<Ceilings> {
  using plan = new Plan(gpu, "ceilings");
  const { arithmetic, memory } = ceilingLaunches(plan, quick);
  const all = [...arithmetic, ...memory];
  plan.add(...all.map(({ launch }) => launch));
  await plan.compile();
  // A ceiling is the best that was seen: whatever else the machine did only lowers it.
  const runs: number[][] = [];
  for (let r = 0; r < (quick ? 1 : 5); r++) {
    runs.push(await timeLaunches(gpu, plan.bound, { repeats: 1, clock }));
  }
  const rates = all.map(({ work }, i) => work / Math.min(...runs.map((times) => times[i]!)) / 1e6);
  return {
    gigaflops: Math.max(...rates.slice(0, arithmetic.length)),
    gigabytes: Math.max(...rates.slice(arithmetic.length)),
  };
}

/** What a launch has to do at least. */
export interface Cost {
  /** Additions and multiplications; undefined where they are not what counts. */
  readonly flops: number | undefined;
  /** Bytes to and from memory if every tensor is touched once. */
  readonly bytes: number;
}

/** Which of a product's tensors holds the weights or their gradients. */
const WEIGHT_AT: Readonly<Record<string, number>> = {
  conv2d_forward: 1,
  conv2d_input_grad: 1,
  conv2d_weight_grad: 2,
};

const OPTIMISERS = ["sgd", "adam", "rmsprop", "adagrad"];

/** The cost of a launch, read off its tensors and constants. */
export function costOf({ name, tensors, constants }: Launch): Cost {
  const op = name.slice(0, name.lastIndexOf("."));
  const sum = (of: Launch["tensors"]) => of.reduce((sum, t) => sum + t.bytes, 0);
  const moved = sum(tensors);
  if (OPTIMISERS.includes(op)) {
    // The parameters and the state, all of one length, are written back; the gradient (1) and the step's numbers are only read.
    const written = tensors.filter((t, i) => i !== 1 && t.bytes === tensors[0]!.bytes);
    return { flops: undefined, bytes: moved + sum(written) };
  }
  const weight = tensors[WEIGHT_AT[op] ?? -1];
  return { flops: weight instanceof Tensor ? productFlops(weight, constants) : undefined, bytes: moved };
}

/** 2 N OH OW KH KW C O, where channels of other groups, which kernels skip, do not count. */
function productFlops(weight: Tensor, constants: Launch["constants"]): number {
  const { N, OH, OW, KH, KW, C_GROUP = Infinity } = constants;
  const [c, o] = weight.shape.slice(-2) as [number, number];
  return 2 * N! * OH! * OW! * KH! * KW! * Math.min(c, C_GROUP) * o;
}

/** How fast a launch is. */
export interface Rate {
  readonly milliseconds: number;
  /** 1e9 additions and multiplications a second; absent where they are not what counts. */
  readonly gigaflops?: number;
  /** 1e9 bytes a second if every tensor moved once. */
  readonly gigabytes: number;
  /** Share of the nearer of the two ceilings; above 1 where a cache helps. */
  readonly share: number;
  readonly bound: "arithmetic" | "memory";
}

/** What a launch of so many milliseconds reaches. */
export function rate(launch: Launch, milliseconds: number, ceilings: Ceilings): Rate {
  const { flops, bytes } = costOf(launch);
  const gigaflops = flops === undefined ? undefined : flops / milliseconds / 1e6;
  const gigabytes = bytes / milliseconds / 1e6;
  const arithmetic = (gigaflops ?? 0) / ceilings.gigaflops, memory = gigabytes / ceilings.gigabytes;
  return {
    milliseconds,
    ...gigaflops === undefined ? {} : { gigaflops },
    gigabytes,
    share: Math.max(arithmetic, memory),
    bound: arithmetic > memory ? "arithmetic" : "memory",
  };
}
