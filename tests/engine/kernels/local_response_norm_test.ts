import { responseNormCases } from "../../../engine/kernels/local_response_norm/cases.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";
import {
  responseNormBackward,
  responseNormForward,
} from "../../../engine/kernels/local_response_norm/local_response_norm.ts";

testCases(responseNormCases);

const x = shapeOnly([2, 3, 3, 7]);

for (
  const options of [{ size: 0 }, { size: 2.5 }, { size: NaN }, { size: 5, k: 0 }, { size: 5, alpha: -1 }]
) {
  Deno.test(`local_response_norm refuses ${JSON.stringify(options)}`, () => {
    assertRefuses(() => responseNormForward(x, x, options), "Cannot build local_response_norm", "wanted");
  });
}

Deno.test("local_response_norm refuses shapes that differ", () => {
  const build = () => responseNormBackward(x, shapeOnly([2, 3, 3, 8]), x, { size: 5 });
  assertRefuses(build, "Cannot build local_response_norm", "[2,3,3,7]", "[2,3,3,8]");
});
