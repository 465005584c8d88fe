import { assertEquals } from "@std/assert";
import { processorClass } from "../../../commands/drivers/processor.ts";

Deno.test("a processor is classed by the widest vector instructions that its flags list", () => {
  const of = (flags: string) =>
    processorClass(`processor\t: 0\nflags\t\t: ${flags}\n\nflags\t\t: none\n`, "x86_64");
  assertEquals(of("fpu sse4_1 avx avx2 avx512f avx512vl"), "avx512");
  assertEquals(of("fpu sse4_1 avx avx2 avx512f"), "avx2");
  assertEquals(of("fpu sse4_1 avx f16c"), "avx");
  assertEquals(of("fpu sse4_1"), "sse4_1");
  assertEquals(of("fpu"), "x86_64");
});

Deno.test("a processor that lists no such flags is classed by its architecture", () => {
  assertEquals(processorClass("processor\t: 0\nFeatures\t: fp asimd\n", "aarch64"), "aarch64");
  assertEquals(processorClass("", "x86_64"), "x86_64");
});
