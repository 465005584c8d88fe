/**
 * apt with lists and caches of the project's own: it needs no administrator and leaves the system's as they are. Keys, proxies and
 * passwords are the system's, and what is not signed is refused.
 * @module
 */
import { join } from "@std/path";
import type { Package, PackageSource } from "./dependencies.ts";
import { outputOf, ProgramError } from "./run.ts";

/** Read after the system's configuration: hooks that it has on every update, such as removing all archives, must not run here. */
const CONFIGURATION = `
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
`;

/** An update of lists must end in this time, so that a silent network delays nobody for long. */
const UPDATE_MS = 120_000;

/** apt on one list of sources. */
export class PrivateApt implements PackageSource {
  readonly #options: readonly string[];
  readonly #arch: string;
  readonly #installed: ReadonlyMap<string, readonly Package[]>;
  /** Why the last update failed, in apt's words; one of several sources may fail without harm. */
  complaint: string | undefined;

  private constructor(options: readonly string[], arch: string, installed: Map<string, Package[]>) {
    this.#options = options;
    this.#arch = arch;
    this.#installed = installed;
  }

  /** Writes list and configuration below `folder`, an absolute path, and fetches what the sources offer. Throws a `ProgramError`. */
  static async open(folder: string, list: string): Promise<PrivateApt> {
    const sources = join(folder, "own.sources"), configuration = join(folder, "apt.conf");
    for (const part of ["lists/partial", "cache/archives/partial"]) {
      await Deno.mkdir(join(folder, part), { recursive: true });
    }
    await Deno.writeTextFile(sources, list);
    await Deno.writeTextFile(configuration, CONFIGURATION);
    const options = [
      "-q",
      "-c",
      configuration,
      ...[
        `Dir::Etc::sourcelist=${sources}`,
        "Dir::Etc::sourceparts=-",
        "Dir::Etc::preferencesparts=-",
        "Dir::Etc::preferences=-",
        `Dir::State::lists=${join(folder, "lists")}`,
        `Dir::Cache=${join(folder, "cache")}`,
      ].flatMap((option) => ["-o", option]),
    ];
    const arch = (await outputOf(["dpkg", "--print-architecture"])).trim();
    const apt = new PrivateApt(options, arch, await installedPackages(arch));
    try {
      await outputOf(["apt-get", ...options, "update"], { milliseconds: UPDATE_MS });
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
      apt.complaint = error.message;
    }
    return apt;
  }

  /** As dpkg names the processor. */
  get arch(): string {
    return this.#arch;
  }

  installed(name: string): readonly Package[] {
    return this.#installed.get(name) ?? [];
  }

  async offered(name: string): Promise<readonly Package[]> {
    // "package | version | source", the newest first; what is only installed has no line.
    const lines = await outputOf(["apt-cache", ...this.#options, "madison", name]).catch(() => "");
    const versions = new Set(lines.split("\n").map((line) => line.split("|")[1]?.trim()));
    const packages: Package[] = [];
    for (const version of versions) {
      if (!version) continue;
      const text = await outputOf(["apt-cache", ...this.#options, "show", `${name}=${version}`]);
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
      const depends = [field("Pre-Depends"), field("Depends")].filter((part) => part !== "").join(", ");
      packages.push({ name, version, depends, provides: field("Provides") });
    }
    return packages;
  }

  async compare(a: string, operator: string, b: string): Promise<boolean> {
    return await outputOf(["dpkg", "--compare-versions", a, operator, b]).then(() => true, () => false);
  }

  /** Fetches packages into `folder`, checked against the signed lists; returns their files. Throws a `ProgramError`. */
  async download(packages: readonly Package[], folder: string): Promise<string[]> {
    await Deno.mkdir(folder, { recursive: true });
    const wanted = packages.map(({ name, version }) => `${name}=${version}`);
    await outputOf(["apt-get", ...this.#options, "download", ...wanted], { cwd: folder });
    return [...Deno.readDirSync(folder)].map(({ name }) => join(folder, name)).sort();
  }
}

/** What dpkg has installed, by the names under which it can be asked for. */
async function installedPackages(arch: string): Promise<Map<string, Package[]>> {
  const format = "${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\t${Provides}\n";
  const byName = new Map<string, Package[]>();
  const add = (name: string, item: Package) => byName.set(name, [...byName.get(name) ?? [], item]);
  for (const line of (await outputOf(["dpkg-query", "-W", "-f", format])).split("\n")) {
    const [name, version, architecture, status, provides = ""] = line.split("\t");
    if (!name || !version || status !== "installed" || ![arch, "all"].includes(architecture!)) continue;
    const item = { name, version, depends: "", provides };
    add(name, item);
    for (const provided of provides.split(",").map((text) => text.trim().split(/[\s(:]/)[0]!)) {
      if (provided !== "" && provided !== name) add(provided, item);
    }
  }
  return byName;
}
