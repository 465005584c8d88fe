/**
 * A Debian package source in a folder, signed as real ones are, and the configuration of a system that uses it.
 * @module
 */
import { dirname, join } from "@std/path";
import { outputOf } from "../../../commands/drivers/run.ts";

/** A package: its fields beside those that are computed, and its files by path. */
export interface Content {
  readonly suite: string;
  readonly name: string;
  readonly version: string;
  readonly depends?: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

/** Writes all files below a folder. */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(join(folder, path), bytes);
  }
}

/** Makes source and configuration below `folder`; returns the configuration's folder. Needs dpkg-deb and gpg. */
export async function makeRepository(
  folder: string,
  packages: readonly Content[],
  suites: readonly string[],
): Promise<{ readonly etc: string; readonly pool: string }> {
  const root = join(folder, "mirror"), home = join(folder, "gpg"), etc = join(folder, "etc");
  const arch = (await outputOf(["dpkg", "--print-architecture"])).trim();
  const entries = new Map<string, string[]>(suites.map((suite) => [suite, []]));
  for (const { suite, name, version, depends, files } of packages) {
    const tree = join(folder, "build", `${name}_${version}`);
    const control = [
      `Package: ${name}`,
      `Version: ${version}`,
      `Architecture: ${arch}`,
      "Maintainer: nobody <nobody@example.org>",
      ...depends === undefined ? [] : [`Depends: ${depends}`],
      "Description: for a test",
    ].join("\n");
    await writeFiles(tree, { ...files, "DEBIAN/control": `${control}\n` });
    const file = `pool/${name}_${version}_${arch}.deb`;
    await Deno.mkdir(join(root, "pool"), { recursive: true });
    await outputOf(["dpkg-deb", "--root-owner-group", "-b", tree, join(root, file)]);
    const { size, sha256 } = await sums(join(root, file));
    entries.get(suite)!.push(`${control}\nFilename: ${file}\nSize: ${size}\nSHA256: ${sha256}\n`);
  }
  await Deno.mkdir(home, { mode: 0o700 });
  const gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--yes"] as const;
  await outputOf([...gpg, "--passphrase", "", "--quick-generate-key", "test@example.org", "rsa2048"]);
  await outputOf([...gpg, "--output", join(folder, "key.gpg"), "--export"]);
  for (const [suite, texts] of entries) {
    const list = `main/binary-${arch}/Packages`, place = join(root, "dists", suite);
    await writeFiles(place, { [list]: texts.join("\n") });
    const { size, sha256 } = await sums(join(place, list));
    await Deno.writeTextFile(
      join(place, "Release"),
      `Suite: ${suite}\nCodename: ${suite}\nDate: ${
        new Date().toUTCString()
      }\nArchitectures: ${arch}\nComponents: main\n` +
        `SHA256:\n ${sha256} ${size} ${list}\n`,
    );
    await outputOf([...gpg, "--output", join(place, "InRelease"), "--clearsign", join(place, "Release")]);
  }
  await writeFiles(etc, {
    "os-release": "ID=debian\nVERSION_CODENAME=testing-release\n",
    "apt/sources.list": `deb [signed-by=${join(folder, "key.gpg")}] file://${root} testing-release main\n`,
  });
  return { etc, pool: join(root, "pool") };
}

async function sums(path: string): Promise<{ readonly size: number; readonly sha256: string }> {
  const bytes = await Deno.readFile(path);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return { size: bytes.length, sha256: digest.toHex() };
}
