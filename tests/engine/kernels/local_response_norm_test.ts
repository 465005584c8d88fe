import { responseNormCases } from "../../../verify/cases/local_response_norm.ts";
import { testCases } from "../../gpu.ts";

testCases(responseNormCases);
