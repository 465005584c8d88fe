import { optimizerCases } from "../../../engine/kernels/optimizer/cases.ts";
import { adagradStep } from "../../../engine/kernels/optimizer/adagrad.ts";
import { adamStep } from "../../../engine/kernels/optimizer/adam.ts";
import { rmspropStep } from "../../../engine/kernels/optimizer/rmsprop.ts";
import { assertRefuses, shapeOnly, testCases } from "../../gpu.ts";

testCases(optimizerCases);

const t = shapeOnly([5]), hyper = shapeOnly([4]);

for (const betas of [[1, 0.9], [0.9, 1], [-0.1, 0.9], [NaN, 0.9]] as const) {
  Deno.test(`adam refuses betas of ${betas.join(" and ")}`, () => {
    assertRefuses(() => adamStep(t, t, t, t, hyper, { betas }), "Cannot build adam", "wanted at least 0");
  });
}

for (const eps of [0, -1e-8, 1e-60, NaN]) {
  Deno.test(`adam, rmsprop and adagrad refuse an eps of ${eps}, which would make padding NaN`, () => {
    assertRefuses(() => adamStep(t, t, t, t, hyper, { eps }), "Cannot build adam", `eps is ${eps}`);
    assertRefuses(
      () => rmspropStep(t, t, { square: t }, hyper, { eps }),
      "Cannot build rmsprop",
      `eps is ${eps}`,
    );
    assertRefuses(() => adagradStep(t, t, t, hyper, { eps }), "Cannot build adagrad", `eps is ${eps}`);
  });
}

Deno.test("rmsprop with momentum refuses to go without a velocity", () => {
  assertRefuses(() => rmspropStep(t, t, { square: t }, hyper, { momentum: 0.9 }), "velocity");
});
