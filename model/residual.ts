/**
 * A block with a skip connection: y = branch(x) + shortcut(x), as residual networks have it (He et al. 2016).
 * @module
 */
import type { Tensor } from "../engine/tensor.ts";
import * as relu from "../engine/kernels/relu/relu.ts";
import * as add from "../engine/kernels/add/add.ts";
import { addForward } from "../engine/kernels/add/reference.ts";
import type { BuildContext, Built, Layer, NamedLayer, PlacedLayer, Reference, Shape } from "./layer.ts";
import { joinNames } from "./layer.ts";
import { describeChild, sequential } from "./sequential.ts";

/** The two paths of a block. */
export interface ResidualPaths {
  /** Layers of the main path; their names are the block's own, such as `conv1`. */
  readonly branch: readonly NamedLayer[];
  /** Layers of the other path; left out: x itself. */
  readonly shortcut?: readonly NamedLayer[] | undefined;
}

/**
 * A container that runs its input through both paths and adds the results, which must have one shape. The children's names follow the
 * block's own without anything between, as torchvision's `BasicBlock` has them. A ReLU right after it is computed in the same launch.
 */
export function residual({ branch, shortcut = [] }: ResidualPaths): Layer {
  // Paths without a name of their own.
  const main: NamedLayer = { name: "", layer: sequential(branch) };
  const skip: NamedLayer | undefined = shortcut.length > 0
    ? { name: "", layer: sequential(shortcut) }
    : undefined;
  const paths = skip ? [main, skip] : [main];
  return {
    kind: "residual",
    options: {},
    fusesRelu: true,
    featureMap: "makes",
    describe(input, maxPartBytes) {
      const [first, second] = paths.map((path) => describeChild({ ...path, input }, maxPartBytes));
      const other = second?.output ?? input;
      const { output } = first!;
      if (output.c !== other.c || output.h !== other.h || output.w !== other.w) {
        throw new RangeError(
          `Cannot build residual: its branch gives ${text(output)}, its shortcut ${
            text(other)
          }, wanted the same`,
        );
      }
      return { output, parameters: [...first!.parameters, ...second?.parameters ?? []] };
    },
    with(options) {
      const changed = (path: readonly NamedLayer[]) =>
        path.map(({ name, layer }) => ({ name, layer: layer.with?.(options) ?? layer }));
      return residual({ branch: changed(branch), shortcut: changed(shortcut) });
    },
    children: (input) => paths.map((path): PlacedLayer => ({ ...path, input })),
    build(context, x, fused) {
      const { plan } = context;
      const a = context.child(main, x, false);
      const b = skip && context.child(skip, x, false);
      const y = context.section(
        "forward",
        () => add.forward(plan, { a: a.y.tensor, b: (b?.y ?? x).tensor, relu: fused }),
      );
      return {
        y: { tensor: y, relu: fused },
        trained: a.trained || (b?.trained ?? false),
        backward(dy, wantInput) {
          const main = backward(context, a, dy, wantInput);
          const other = b ? backward(context, b, dy, wantInput) : dy;
          // A path without a gradient for x has the layer that is explained in it: nothing below is of interest.
          if (!wantInput || main === undefined || other === undefined) return undefined;
          // A path masks its own gradient where x is a ReLU's output; x itself has to be masked here.
          return context.section(
            "backward",
            () =>
              !b && x.relu
                ? add.masked(plan, { a: main, b: other, x: x.tensor })
                : add.forward(plan, { a: main, b: other }),
          );
        },
      };
    },
    onnx(graph, place) {
      const [a, b = place.x] = paths.map(({ layer }) => layer.onnx!(graph, place));
      return graph.add("Add", joinNames(place.name, "add"), [a!, b]);
    },
    reference({ x, shape, child }) {
      const a = child(main, x, shape), b = skip && child(skip, x, shape);
      return {
        y: addForward(a.y, b?.y ?? x),
        margin: Math.min(a.margin ?? Infinity, b?.margin ?? Infinity),
        backward(dy) {
          const first = a.backward(dy), second = b?.backward(dy);
          return {
            dx: addForward(first.dx, second?.dx ?? dy),
            gradients: { ...first.gradients, ...second?.gradients },
          };
        },
      } satisfies Reference;
    },
  };
}

/** Nothing is recorded for a path that needs no gradient. One that ends in a ReLU gets its gradient masked, as every reader of a ReLU does. */
function backward(
  context: BuildContext,
  path: Built,
  dy: Tensor,
  wantInput: boolean,
): Tensor | undefined {
  if (!path.trained && !wantInput) return undefined;
  const { relu: rectified, tensor: y } = path.y;
  const own = rectified ? context.section("backward", () => relu.backward(context.plan, { y, dy })) : dy;
  return path.backward(own, wantInput);
}

function text({ c, h, w }: Shape): string {
  return `[${c}, ${h}, ${w}]`;
}
