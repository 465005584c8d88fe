/**
 * Finds out how many lanes a subgroup has, by asking the device itself: Deno grants the feature without
 * listing it, and no WebGPU property tells how a driver assigns invocations to lanes.
 * @module
 */

const GROUP = 128;

const PROBE = `
@group(0) @binding(0) var<storage, read_write> seen: array<u32>;
@compute @workgroup_size(${GROUP})
fn main(@builtin(local_invocation_index) index: u32,
        @builtin(subgroup_size) size: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
  seen[index] = size * 65536u + lane * 256u + subgroupBroadcast(index, 3u);
}`;

/**
 * What a module with subgroup operations begins with: Tint (Chrome, Dawn) demands it, naga (Deno, Firefox) refuses it. Without a line break,
 * so that line numbers stay true.
 */
const ENABLE = "enable subgroups; ";

/** How a device does subgroup operations. */
export interface Subgroups {
  /** Lanes of a subgroup; 0 where they cannot be used. */
  readonly lanes: number;
  /** What a module that uses them begins with. */
  readonly directive: string;
}

/**
 * Lanes are 0 where subgroup broadcast is missing, the size is no power of two from 4 to 64, or invocations are not assigned to lanes in
 * order.
 */
export async function probeSubgroups(device: GPUDevice): Promise<Subgroups> {
  for (const directive of ["", ENABLE]) {
    const lanes = await probe(device, directive);
    if (lanes !== undefined) return { lanes, directive };
  }
  return { lanes: 0, directive: "" };
}

/** Lanes, or undefined where the device does not take the module. */
async function probe(device: GPUDevice, directive: string): Promise<number | undefined> {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label: "subgroup probe", code: directive + PROBE });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  if (await device.popErrorScope()) return undefined;
  const usage = GPUBufferUsage;
  const buffer = device.createBuffer({ size: GROUP * 4, usage: usage.STORAGE | usage.COPY_SRC });
  const back = device.createBuffer({ size: GROUP * 4, usage: usage.COPY_DST | usage.MAP_READ });
  try {
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer } }],
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, back, 0, GROUP * 4);
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(GPUMapMode.READ);
    return subgroupSizeFrom(new Uint32Array(back.getMappedRange().slice(0)));
  } finally {
    buffer.destroy();
    back.destroy();
  }
}

/** Judges the probe's answer: `size << 16 | lane << 8 | lane 3's index` for each of the invocations. */
export function subgroupSizeFrom(seen: Uint32Array): number {
  const size = (seen[0] ?? 0) >>> 16;
  const known = size >= 4 && size <= 64 && (size & (size - 1)) === 0;
  if (!known || seen.length % size !== 0) return 0;
  const asExpected = seen.every((value, i) =>
    value === size * 65536 + (i % size) * 256 + Math.floor(i / size) * size + 3
  );
  return asExpected ? size : 0;
}
