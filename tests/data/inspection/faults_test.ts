import { assertEquals } from "@std/assert";
import { faultsOf } from "../../../data/inspection/faults.ts";

/** A photo of usual size and traits, but for what is said. */
const photo = ({ width = 340, height = 256, light = 190, sharpness = 100 } = {}) => ({
  width,
  height,
  traits: { hash: "0".repeat(16), light, sharpness },
});

/** Photos whose sharpness spreads as that of real ones does. */
const usual = Array.from({ length: 99 }, (_, i) => photo({ sharpness: 100 * Math.exp((i - 49) / 25) }));

Deno.test("dark, blurred, tiny and very long photos are told from usual ones", () => {
  const photos = [
    ...usual,
    photo({ light: 40 }),
    photo({ sharpness: 0.3 }),
    photo({ width: 50, height: 40 }),
    photo({ width: 1200, height: 256 }),
  ];
  assertEquals(faultsOf(photos), [
    { index: 99, fault: "dark" },
    { index: 100, fault: "blurred" },
    { index: 101, fault: "tiny" },
    { index: 102, fault: "odd" },
  ]);
});

Deno.test("what a folder is like throughout is no fault: small pictures, or plain ones", () => {
  assertEquals(faultsOf(Array.from({ length: 100 }, () => photo({ width: 32, height: 32 }))), []);
  const plain = Array.from({ length: 100 }, (_, i) => photo({ sharpness: 0.1 * Math.exp((i - 50) / 25) }));
  assertEquals(faultsOf(plain), []);
});

Deno.test("a photo is called by the fault that explains the others", () => {
  assertEquals(faultsOf([...usual, photo({ light: 10, sharpness: 0.01 })]), [{ index: 99, fault: "dark" }]);
});

Deno.test("of few photos, sharpness is compared with a fixed one; without traits nothing is said of it", () => {
  assertEquals(faultsOf([photo(), photo({ sharpness: 0.3 }), photo({ sharpness: 1 })]), [{
    index: 1,
    fault: "blurred",
  }]);
  const { traits: _, ...without } = photo();
  assertEquals(faultsOf([without, without]), []);
});
