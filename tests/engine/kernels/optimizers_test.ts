import { optimizerCases } from "../../../verify/cases/optimizers.ts";
import { testCases } from "../../gpu.ts";

testCases(optimizerCases);
