import { assert, assertEquals } from "@std/assert";
import { digits, kernelTable, percent, resultFile, table, withSection } from "../../bench/report.ts";

Deno.test("a table aligns its columns, numbers to the right", () => {
  assertEquals(table(["what", ">ms"], [["conv", "1.5"], ["pool", "12"]]), [
    "| what |  ms |",
    "| ---- | --: |",
    "| conv | 1.5 |",
    "| pool |  12 |",
  ]);
});

Deno.test("a table without rows has only its head, and short rows are filled up", () => {
  assertEquals(table(["a"], []), ["| a   |", "| --- |"]);
  assertEquals(table(["what", "how"], [["x"]]).at(-1), "| x    |     |");
});

Deno.test("numbers keep about three digits, and a dash stands for what was not measured", () => {
  assertEquals([1234.5, 99.96, 12.34, 1.234, 0.1234, 0.01234, 5].map(digits), [
    "1235",
    "100.0",
    "12.3",
    "1.23",
    "0.12",
    "0.012",
    "5",
  ]);
  assertEquals([digits(undefined), digits(NaN), percent(undefined), percent(NaN)], ["-", "-", "-", "-"]);
  assertEquals([1.26, 0.5, 0.031].map(percent), ["126 %", "50 %", "3.1 %"]);
});

Deno.test("a result file's name is safe whatever the adapter is called", () => {
  assertEquals(resultFile("llvmpipe (LLVM 15.0.6, 256 bits)"), "llvmpipe-llvm-15.0.6-256-bits.md");
  assertEquals(resultFile("NVIDIA H100 80GB HBM3"), "nvidia-h100-80gb-hbm3.md");
  assertEquals(resultFile("../../etc/passwd"), "etc-passwd.md");
  assertEquals(resultFile("…"), "unknown.md");
});

Deno.test("a bench replaces its own section and leaves all others, and what people wrote", () => {
  const first = withSection("# adapter\n\nremarks\n", "bench", ["one"]);
  const both = withSection(first, "peers", ["two"]);
  const again = withSection(both, "bench", ["three"]);
  for (const part of ["# adapter\n\nremarks\n", "two", "three"]) assert(again.includes(part), part);
  assert(!again.includes("one") && again.indexOf("three") < again.indexOf("two"));
  assertEquals(withSection(again, "bench", ["three"]), again);
});

Deno.test("the kernel table names a case once and shows a wrong one", () => {
  const row = {
    group: "compact, batch 2",
    case: "features.0 conv2d",
    launch: "conv2d_forward.main",
    error: 1e-7,
    correct: true,
    milliseconds: 2,
    gigaflops: 50,
    gigabytes: 1,
    share: 0.5,
    bound: "arithmetic",
  } as const;
  const lines = kernelTable([row, { ...row, launch: "sum_splits.sum", error: 0.3, correct: false }]);
  assertEquals(lines.filter((line) => line.includes("features.0 conv2d")).length, 1);
  assert(lines[2]!.includes("| conv2d_forward ") && lines[2]!.includes("50 %"));
  assert(lines[3]!.includes("WRONG"));
});
