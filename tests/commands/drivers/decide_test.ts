import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { choiceText, decideDriver, type Surroundings } from "../../../commands/drivers/decide.ts";
import { DriverError, MANIFEST } from "../../../commands/drivers/fetch.ts";
import { DRIVER_FOLDER, type DriverWish, readChoice } from "../../../engine/driver.ts";
import { testNeeding } from "../../permissions.ts";
import { chooseOwn, inNewFolder } from "./cache_folder.ts";

const test = (name: string, work: (folder: string) => Promise<void>) =>
  testNeeding("all")({ name, ignore: Deno.build.os !== "linux", fn: () => inNewFolder(work) });

const LLVMPIPE = { name: "llvmpipe (LLVM 15.0.6, 256 bits)", kind: "cpu" } as const;

/** A machine without AVX-512 whose package source has Mesa 25, and what it was asked for. */
function machine(change: Partial<Surroundings> = {}) {
  const log: string[] = [];
  const around: Surroundings = {
    look(manifest) {
      log.push(manifest === undefined ? "looked" : "tried");
      return Promise.resolve(LLVMPIPE);
    },
    async fetch({ target }) {
      log.push("fetched");
      await Deno.writeTextFile(join(target, MANIFEST), "{}");
      return { name: "Mesa 25", folder: "mesa-25" };
    },
    processor: "avx2",
    systemVersion: () => Promise.resolve("22.3"),
    now: () => 1000,
    ...change,
  };
  const decide = (wish: DriverWish = "auto", options: { anew?: boolean; withoutSystem?: boolean } = {}) =>
    decideDriver({ wish, anew: false, onProgress: () => {}, ...options }, around);
  return { decide, log, around };
}

const names = () => [...Deno.readDirSync(DRIVER_FOLDER)].map(({ name }) => name).sort();

test("a software adapter without AVX-512 gets a newer driver, which is tried first, and once is enough", async () => {
  const { decide, log } = machine();
  const { choice, made } = await decide();
  assertEquals([made, choice.own], [true, { name: "Mesa 25", manifest: "mesa-25/icd.json" }]);
  assertEquals(log, ["looked", "fetched", "tried"]);
  assertEquals(names(), ["choice.json", "mesa-25"]);
  assertEquals(readChoice(), JSON.parse(JSON.stringify(choice)));
  assertStringIncludes(choiceText(choice), "Mesa 25, this project's own in .cache/drivers, because");
  assertEquals(await decide(), { choice: readChoice()!, made: false });
  assertEquals(log.length, 3);
});

test("a graphics card is never displaced, another software device neither", async () => {
  for (
    const [name, kind] of [["NVIDIA H100", "discrete"], ["Intel UHD", "other"], [
      "SwiftShader",
      "cpu",
    ]] as const
  ) {
    for (const wish of ["auto", "newest"] as const) {
      const { decide, log } = machine({ look: () => Promise.resolve({ name, kind }) });
      const { choice } = await decide(wish);
      assertEquals([choice.own, log], [undefined, []]);
      assertStringIncludes(choice.reason, name);
    }
  }
});

test("with AVX-512 the system's driver stays, unless the newest is asked for", async () => {
  const { decide, log } = machine({ processor: "avx512" });
  const { choice } = await decide();
  assertEquals([choice.own, log], [undefined, ["looked"]]);
  assertStringIncludes(choiceText(choice), "Vulkan driver: Mesa 22.3, because");
  assertStringIncludes(choice.reason, "AVX-512");
  assertEquals((await decide("newest")).choice.own?.name, "Mesa 25");
});

test("the system's driver is taken where it is asked for, and stays until something else is", async () => {
  const { decide, log } = machine();
  assertEquals((await decide("system")).choice.own, undefined);
  assertEquals((await decide("system")).made, false);
  assert(!log.includes("fetched"));
  assertEquals((await decide("auto")).choice.own?.name, "Mesa 25");
});

test("a failure leaves nothing, is told in one sentence and remembered for a day, and can be forced before", async () => {
  let now = 1000, tries = 0;
  const failing = machine({
    now: () => now,
    async fetch({ target, work }) {
      tries++;
      await Deno.writeTextFile(join(target, "half"), "x");
      await Deno.mkdir(work);
      throw new DriverError("the mirror\nis away");
    },
  });
  const { choice, made } = await failing.decide();
  assertEquals([made, choice.own, choice.reason], [
    true,
    undefined,
    "a newer software driver could not be had: the mirror is away",
  ]);
  assertStringIncludes(choiceText(choice), "--driver newest");
  assertEquals(names(), ["choice.json"]);
  now += 23 * 3600 * 1000;
  assertEquals([(await failing.decide()).made, tries], [false, 1]);
  assertEquals([(await failing.decide("auto", { anew: true })).made, tries], [true, 2]);
  now += 25 * 3600 * 1000;
  assertEquals([(await failing.decide()).made, tries], [true, 3]);
});

test("a driver that opens no device is not kept", async () => {
  const { decide } = machine({
    look: (manifest) => Promise.resolve(manifest === undefined ? LLVMPIPE : null),
  });
  const { choice } = await decide();
  assertStringIncludes(choice.reason, "Mesa 25 offers no device on this machine");
  assertEquals(names(), ["choice.json"]);
});

test("a disk that fills up while the choice is made ends with the system's driver", async () => {
  const { decide } = machine({
    fetch: () => Promise.reject(new Error("No space left on device (os error 28)")),
  });
  const { choice } = await decide();
  assertStringIncludes(choice.reason, "No space left on device");
  assertEquals([choice.own, names()], [undefined, ["choice.json"]]);
});

test("a cache that cannot be written means the system's driver, and nothing is looked for", async (folder) => {
  // A file where the folder should be: permissions would not stop an administrator.
  await Deno.writeTextFile(join(folder, ".cache"), "");
  const { decide, log } = machine();
  const { choice } = await decide();
  assertStringIncludes(choice.reason, "a newer software driver could not be had: ");
  assertEquals([choice.own, log], [undefined, []]);
});

test("another set of manifests, of devices or another processor asks anew; the driver that is there is not fetched again", async (folder) => {
  for (const [what, change] of [["icds", { icds: "x" }], ["devices", { devices: "x" }]] as const) {
    await chooseOwn(folder);
    const { machine: now } = readChoice()!;
    await chooseOwn(folder, { machine: { ...now, ...change } });
    const { decide, log } = machine();
    const { choice, made } = await decide();
    assertEquals([made, choice.own?.name, log], [true, "Mesa of the test", ["looked", "tried"]], what);
    assertEquals(choice.machine, now);
  }
  const { decide, log } = machine({ processor: "avx" });
  assertEquals([(await decide()).choice.processor, log], ["avx", ["looked", "tried"]]);
});

test("a graphics card that has come since takes over from the project's own driver", async (folder) => {
  await chooseOwn(folder, { machine: { icds: "before", devices: "before" } });
  const { decide } = machine({ look: () => Promise.resolve({ name: "NVIDIA H100", kind: "discrete" }) });
  assertEquals((await decide()).choice.own, undefined);
});

test("a broken driver is fetched again, and older ones go", async (folder) => {
  const manifest = await chooseOwn(folder);
  await Deno.remove(manifest);
  const { decide, log } = machine();
  assertEquals((await decide()).choice.own?.name, "Mesa 25");
  assertEquals([log, names()], [["looked", "fetched", "tried"], ["choice.json", "mesa-25"]]);
});

test("where the system has no driver, that is left to whoever can install one, or one is fetched", async () => {
  const { decide, log } = machine({
    look: (manifest) => Promise.resolve(manifest === undefined ? null : LLVMPIPE),
  });
  assertEquals([(await decide()).made, names(), log], [false, [], []]);
  assertEquals((await decide("auto", { withoutSystem: true })).choice.own?.name, "Mesa 25");
});

test("where a driver is wanted anew and cannot be had, the one that is there goes on serving", async (folder) => {
  await chooseOwn(folder);
  const { decide } = machine({ fetch: () => Promise.reject(new DriverError("the mirror is away")) });
  const { choice } = await decide("newest", { anew: true });
  assertEquals([choice.own?.name, choice.retryAfter], ["Mesa of the test", undefined]);
  assertStringIncludes(choice.reason, "another could not be had: the mirror is away");
});

test("what a setup has left that was killed goes with the next, and what another is doing stays", async () => {
  for (const name of [".old.tmp", ".new.tmp"]) {
    await Deno.mkdir(join(DRIVER_FOLDER, name), { recursive: true });
  }
  const before = new Date(Date.now() - 2 * 3600 * 1000);
  await Deno.utime(join(DRIVER_FOLDER, ".old.tmp"), before, before);
  await machine().decide();
  assertEquals(names(), [".new.tmp", "choice.json", "mesa-25"]);
});
