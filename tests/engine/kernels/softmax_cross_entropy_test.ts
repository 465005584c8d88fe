import { softmaxCrossEntropyCases } from "../../../engine/kernels/softmax_cross_entropy/cases.ts";
import { softmaxCrossEntropy } from "../../../engine/kernels/softmax_cross_entropy/softmax_cross_entropy.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";

testCases(softmaxCrossEntropyCases);

const t = (...shape: number[]) => shapeOnly(shape);
const tensors = { logits: t(5, 7), classWeights: t(7), dLogits: t(5, 7), result: t(5, 4) };

for (const labelSmoothing of [1, -0.1, NaN]) {
  Deno.test(`softmax_cross_entropy refuses a label smoothing of ${labelSmoothing}`, () => {
    const build = () => softmaxCrossEntropy({ ...tensors, target: { labels: t(5) } }, { labelSmoothing });
    assertRefuses(build, "Cannot build softmax_cross_entropy", `label smoothing is ${labelSmoothing}`);
  });
}

Deno.test("softmax_cross_entropy refuses targets of another batch or of other classes", () => {
  for (const target of [{ labels: t(4) }, { soft: t(4, 7) }, { soft: t(5, 6) }]) {
    const shape = "labels" in target ? target.labels.shape : target.soft.shape;
    const build = () => softmaxCrossEntropy({ ...tensors, target });
    assertRefuses(build, "Cannot build softmax_cross_entropy", `[${shape}]`, "[5,7]");
  }
});
