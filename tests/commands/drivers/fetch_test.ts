import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { DriverError, fetchDriver, type Fetched, MANIFEST } from "../../../commands/drivers/fetch.ts";
import { outputOf, ProgramError } from "../../../commands/drivers/run.ts";
import { granted, testNeeding } from "../../permissions.ts";
import { inNewFolder } from "./cache_folder.ts";
import { type Content, makeRepository, writeFiles } from "./repository.ts";

const TOOLS = ["apt-get --version", "dpkg-deb --version", "gpg --version"];
const hasTools = Deno.build.os === "linux" && granted("all") &&
  (await Promise.all(
    TOOLS.map((tool) => outputOf(tool.split(" ") as [string, string]).then(() => true, () => false)),
  )).every((works) => works);

const test = (name: string, work: (folder: string) => Promise<void>) =>
  testNeeding("all")({ name, ignore: !hasTools, fn: () => inNewFolder(work) });

const LIBRARIES = `usr/lib/${Deno.build.arch}-linux-gnu`;
const ICD = {
  file_format_version: "1.0.0",
  ICD: { library_path: "libvulkan_lvp.so", api_version: "1.4.305" },
};

/** Newer than any real one. */
const mesa = (change: Partial<Content> = {}): Content => ({
  suite: "testing-release-backports",
  name: "mesa-vulkan-drivers",
  version: "9999.1-2~test",
  files: {
    [`${LIBRARIES}/libvulkan_lvp.so`]: "software",
    [`${LIBRARIES}/libvulkan_radeon.so`]: "card",
    "usr/share/vulkan/icd.d/lvp_icd.json": JSON.stringify(ICD),
  },
  ...change,
});

const library = (version: string, depends?: string): Content => ({
  suite: "testing-release-backports",
  name: "libof-this-test",
  version,
  files: { [`${LIBRARIES}/libof_this_test.so.2`]: version },
  ...depends === undefined ? {} : { depends },
});

async function fetchFrom(folder: string, etc: string): Promise<Fetched> {
  const target = join(folder, "target");
  await Deno.mkdir(target);
  return await fetchDriver({ target, work: join(folder, "work"), etc });
}

/** Runs `work` with programs of these names before the system's. */
async function withPrograms(folder: string, scripts: Record<string, string>, work: () => Promise<unknown>) {
  const bin = join(folder, "bin"), path = Deno.env.get("PATH")!;
  await writeFiles(bin, scripts);
  for (const name of Object.keys(scripts)) await Deno.chmod(join(bin, name), 0o755);
  Deno.env.set("PATH", `${bin}:${path}`);
  try {
    await work();
  } finally {
    Deno.env.set("PATH", path);
  }
}

test("the newest driver is unpacked with what the system lacks, and without those of graphics cards", async (folder) => {
  const { etc } = await makeRepository(folder, [
    mesa({ depends: "libc6, libof-this-test (>= 2)" }),
    mesa({ version: "9999.1-1~test" }),
    library("3"),
    library("1"),
  ], ["testing-release-backports"]);
  const fetched = await fetchFrom(folder, etc);
  assertEquals(fetched.name, "Mesa 9999.1-2~test");
  assertMatch(fetched.folder, /^mesa-9999\.1-2~test-\w+-linux-gnu$/);
  const target = join(folder, "target");
  const files = [...Deno.readDirSync(join(target, "root", LIBRARIES))].map(({ name }) => name).sort();
  assertEquals(files, ["libof_this_test.so.2", "libvulkan_lvp.so"]);
  assertEquals(await Deno.readTextFile(join(target, "root", LIBRARIES, files[0]!)), "3");
  assertEquals(JSON.parse(await Deno.readTextFile(join(target, MANIFEST))), {
    ...ICD,
    ICD: { ...ICD.ICD, library_path: "./driver.so" },
  });
  const shim = await Deno.readFile(join(target, "driver.so"));
  assert(new TextDecoder("latin1").decode(shim).includes(`$ORIGIN/root/${LIBRARIES}`));
});

test("without a suite for backports the release's own is looked through, and what is missing there is named", async (folder) => {
  const suite = "testing-release";
  const { etc } = await makeRepository(folder, [
    mesa({ suite, depends: "libof-this-test (>= 2)" }),
    { ...library("1"), suite },
  ], [suite]);
  await assertRejects(
    () => fetchFrom(folder, etc),
    DriverError,
    "mesa-vulkan-drivers 9999.1-2~test needs libof-this-test (>= 2)",
  );
});

test("a source that has nothing newer is no failure of the network", async (folder) => {
  const suites = ["", "-updates", "-backports"].map((suite) => `testing-release${suite}`);
  const { etc } = await makeRepository(folder, [mesa({ version: "0.1" })], suites);
  await withPrograms(
    folder,
    { "dpkg-query": 'case "$*" in *mesa*) echo installed 22.3;; esac' },
    () => assertRejects(() => fetchFrom(folder, etc), DriverError, "nothing newer than Mesa 22.3"),
  );
});

test("a source that is not signed, or by another key, is refused even where the system trusts it", async (folder) => {
  const { etc } = await makeRepository(folder, [mesa()], ["testing-release-backports"]);
  await Deno.remove(join(folder, "mirror/dists/testing-release-backports/InRelease"));
  const list = `deb [trusted=yes] file://${folder}/mirror testing-release main\n`;
  await Deno.writeTextFile(join(etc, "apt/sources.list"), list);
  await assertRejects(() => fetchFrom(folder, etc), DriverError, "not signed");
});

test("a package that is not what the signed list says is refused", async (folder) => {
  const { etc, pool } = await makeRepository(folder, [mesa()], ["testing-release-backports"]);
  for (const { name } of Deno.readDirSync(pool)) {
    const bytes = await Deno.readFile(join(pool, name));
    bytes[bytes.length - 1]! ^= 1;
    await Deno.writeFile(join(pool, name), bytes);
  }
  await assertRejects(() => fetchFrom(folder, etc), ProgramError, "Hash Sum mismatch");
});

test("a full disk, another architecture, an unreachable mirror and a system without apt each say so", async (folder) => {
  const { etc } = await makeRepository(folder, [mesa()], ["testing-release-backports"]);
  const fails = async (
    scripts: Record<string, string>,
    kind: new (message: string) => Error,
    words: string,
  ) => {
    await withPrograms(
      folder,
      scripts,
      () => assertRejects(() => fetchFrom(folder, etc), kind, words),
    );
    for (const name of ["bin", "target", "work"]) {
      await Deno.remove(join(folder, name), { recursive: true }).catch(() => {});
    }
  };
  const full = "#!/bin/sh\necho 'dpkg-deb: error: No space left on device' >&2\nexit 2\n";
  await fails({ "dpkg-deb": full }, ProgramError, "No space left on device");
  const away = "#!/bin/sh\necho 'Err:1 http://mirror.example: Could not resolve' >&2\n" +
    "echo 'E: Failed to fetch: Could not resolve mirror.example' >&2\nexit 100\n";
  await fails({ "apt-get": away }, DriverError, "Could not resolve");
  await fails({ "dpkg": "#!/bin/sh\necho m68k\n" }, DriverError, "the system's packages are for m68k");
  const path = Deno.env.get("PATH")!;
  Deno.env.set("PATH", "/nowhere");
  try {
    await assertRejects(() => fetchFrom(folder, etc), ProgramError, "there is no ");
  } finally {
    Deno.env.set("PATH", path);
  }
});

test("a system that names no release or no source for it has no driver to offer", async (folder) => {
  for (const files of [{}, { "os-release": "VERSION_CODENAME=x\n" }] as Record<string, string>[]) {
    const etc = join(folder, `etc${Object.keys(files).length}`);
    await writeFiles(etc, files);
    await assertRejects(
      () => fetchDriver({ target: folder, work: join(folder, "work"), etc }),
      DriverError,
      "names no package source of its own release",
    );
  }
});

testNeeding("run", "env")("a program that hangs is ended, and one that fails is quoted", async () => {
  if (Deno.build.os === "windows") return;
  await assertRejects(
    () => outputOf(["sleep", "60"], { milliseconds: 100 }),
    ProgramError,
    "took longer than 0.1 s",
  );
  const failing = ["sh", "-c", "echo 'W: well' >&2; echo 'E: first' >&2; echo last >&2; exit 3"] as const;
  await assertRejects(() => outputOf([...failing]), ProgramError, "first");
  await assertRejects(() => outputOf(["sh", "-c", "exit 3"]), ProgramError, "sh ended with code 3");
});
