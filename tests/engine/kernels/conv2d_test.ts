import { conv2dCases, linearCases } from "../../../verify/cases/conv2d.ts";
import { testCases } from "../../gpu.ts";

testCases([...conv2dCases, ...linearCases]);
