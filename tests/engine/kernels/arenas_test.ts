import { arenaCases } from "../../../verify/cases/arenas.ts";
import { testCases } from "../../gpu.ts";

testCases(arenaCases);
