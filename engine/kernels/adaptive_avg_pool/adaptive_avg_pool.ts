/**
 * Adaptive average pooling on PyTorch's windows: output row i of OH averages rows floor(i H / OH) to ceil((i + 1) H / OH).
 * @module
 */
import type { Plan } from "../../plan.ts";
import type { Tensor } from "../../tensor.ts";
import { elementwise, withPrelude } from "../prelude/prelude.ts";
import source from "./adaptive_avg_pool.wgsl" with { type: "text" };

const wgsl = withPrelude(source);

/** Records y [N, OH, OW, C] = means of x [N, H, W, C] with `size` = [OH, OW]; returns y. */
export function forward(
  plan: Plan,
  { x, size: [oh, ow] }: { readonly x: Tensor; readonly size: readonly [number, number] },
): Tensor {
  const y = plan.tensor([x.shape[0]!, oh, ow, x.shape[3]!]);
  const { MASK: _, ...sizes } = geometry(x, y, false);
  const { constants, grid } = elementwise(y.length / 4);
  plan.add({
    name: "adaptive_avg_pool.forward",
    wgsl,
    tensors: [x, y],
    constants: { ...constants, ...sizes },
    grid,
  });
  return y;
}

/** Records dx [N, H, W, C] from dy [N, OH, OW, C]; with `mask`, x is a ReLU's output and dx is multiplied by (x > 0). Returns dx. */
export function backward(
  plan: Plan,
  { x, dy, mask = false }: { readonly x: Tensor; readonly dy: Tensor; readonly mask?: boolean },
): Tensor {
  const dx = plan.tensor(x.shape);
  const sizes = geometry(x, dy, mask);
  const { constants, grid } = elementwise(x.length / 4);
  plan.add({
    name: "adaptive_avg_pool.backward",
    wgsl,
    tensors: [dy, x, dx],
    constants: { ...constants, ...sizes },
    grid,
  });
  return dx;
}

function geometry(x: Tensor, y: Tensor, mask: boolean) {
  const [N, H, W, C] = x.shape as [number, number, number, number];
  const [YN, OH, OW, YC] = y.shape as [number, number, number, number];
  if (x.shape.length !== 4 || y.shape.length !== 4 || YN !== N || YC !== C) {
    throw new RangeError(
      `Cannot build adaptive_avg_pool: output is [${y.shape}], wanted [${N},OH,OW,${C}] for input [${x.shape}]`,
    );
  }
  return { H, W, C4: x.pitch / 4, OH, OW, MASK: mask ? 1 : 0 };
}
