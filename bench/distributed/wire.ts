/**
 * How fast gradients travel between ranks, without a device: `mpirun -n 2 deno run -A bench/distributed/wire.ts 244`. Prints the seconds that
 * a step's exchange of so many megabytes takes, in the buckets of training, and what that is in MB/s for each rank and direction.
 */
import { MpiRanks } from "../../distributed/mpi/ranks.ts";
import { BUCKET_BYTES } from "../../distributed/rank_sum.ts";

const megabytes = Number(Deno.args[0] ?? 244), rounds = Number(Deno.args[1] ?? 3);
const ranks = await MpiRanks.open();
const { size } = ranks, floats = Math.ceil(megabytes * 1e6 / 4), bucket = BUCKET_BYTES / 4;
const seconds: number[] = [];
for (let round = 0; round <= rounds; round++) {
  await ranks.barrier();
  const started = performance.now();
  for (let at = 0; at < floats; at += bucket) {
    const chunk = Math.ceil(Math.min(bucket, floats - at) / size), counts = Array(size).fill(chunk);
    const parts = await ranks.exchange(new Float32Array(chunk * size), counts, counts);
    await ranks.gatherParts(parts.slice(0, chunk), counts);
  }
  // The first round makes the connections.
  if (round > 0) seconds.push((performance.now() - started) / 1000);
}
const median = seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)]!;
if (ranks.rank === 0) {
  const sent = 2 * (size - 1) / size * megabytes;
  console.log(JSON.stringify({ ranks: size, megabytes, seconds: median, megabytesPerSecond: sent / median }));
}
await ranks[Symbol.asyncDispose]();
