import { softmaxCrossEntropyCases } from "../../../verify/cases/softmax_cross_entropy.ts";
import { testCases } from "../../gpu.ts";

testCases(softmaxCrossEntropyCases);
