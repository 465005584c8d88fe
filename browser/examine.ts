/**
 * The examination of a visitor's adapter: the cases of `deno task doctor` in a page.
 * @module
 */
import type { Case } from "../engine/verify/case.ts";
import { adapterReport, type Examination, examineCases } from "../engine/verify/report.ts";
import type { Row } from "../engine/verify/run.ts";
import type { Gpu } from "./gpu.ts";

/** Runs the cases one after another and describes the adapter. `report` sees each row as soon as it is there. */
export async function examineBrowser(
  gpu: Gpu,
  cases: readonly Case[],
  report?: (row: Row) => void,
): Promise<Examination> {
  return await examineCases(gpu, adapterReport(gpu, { runtime: navigator.userAgent }), cases, report);
}
