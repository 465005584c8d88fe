/**
 * The machine's own package sources, as apt reads them, and a list made of them that also looks into the release's backports.
 * @module
 */

/** One source of Debian packages. */
export interface Source {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Options that keep their meaning in another list: which key signs it, whether it may be old. Never one that waives signatures. */
  readonly options: readonly (readonly [name: string, value: string])[];
}

/** Options of a source that are carried over, in the spelling of `.sources`. */
const KEPT = ["Signed-By", "Check-Valid-Until", "Valid-Until-Max", "Architectures"];

/** Reads a `.list` file: a source on each line. */
export function parseList(text: string): Source[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    if (!match || match[3]!.endsWith("/")) return []; // a folder and no suite
    const [, options = "", uri, suite, components] = match;
    return [{
      uris: [uri!],
      suites: [suite!],
      components: words(components!),
      options: kept(
        words(options).map((option) => {
          const [name, ...value] = option.split("=");
          return [name === "arch" ? "Architectures" : name!, value.join("=").replaceAll(",", " ")];
        }),
      ),
    }];
  });
}

/** Reads a `.sources` file: paragraphs of fields, some over several lines. */
export function parseSources(text: string): Source[] {
  return text.split(/\n\s*\n/).flatMap((paragraph) => {
    const fields = new Map<string, string>();
    let last = "";
    for (const line of paragraph.split("\n")) {
      if (line.startsWith("#")) continue;
      const field = /^([^\s:]+):(.*)$/.exec(line);
      if (field) fields.set(last = field[1]!.toLowerCase(), field[2]!.trim());
      else if (/^\s/.test(line) && last) fields.set(last, `${fields.get(last)}\n${line}`);
    }
    const list = (name: string) => words(fields.get(name) ?? "");
    if (!list("types").includes("deb") || fields.get("enabled")?.toLowerCase() === "no") return [];
    return [{
      uris: list("uris"),
      suites: list("suites"),
      components: list("components"),
      options: kept([...fields]),
    }];
  });
}

/**
 * Those sources that offer the release itself, since the others, of other makers, have no Mesa. Their suites become `suites` of the
 * release, such as `["-backports"]` or `["", "-updates", "-backports"]`. Written as a `.sources` file; empty where there is none.
 */
export function listFor(sources: readonly Source[], release: string, suites: readonly string[]): string {
  const own = sources.filter(({ suites, components }) =>
    suites.includes(release) && components.includes("main")
  );
  const paragraphs = own.map(({ uris, components, options }) =>
    [
      "Types: deb",
      `URIs: ${uris.join(" ")}`,
      `Suites: ${suites.map((suite) => release + suite).join(" ")}`,
      `Components: ${components.join(" ")}`,
      ...options.map(([name, value]) => `${name}: ${value}`),
    ].join("\n")
  );
  return [...new Set(paragraphs)].map((paragraph) => `${paragraph}\n`).join("\n");
}

/** All sources that are configured below this folder, `/etc/apt` of a machine. */
export async function configuredSources(folder: string): Promise<Source[]> {
  const files = [`${folder}/sources.list`];
  try {
    for await (const { name } of Deno.readDir(`${folder}/sources.list.d`)) {
      files.push(`${folder}/sources.list.d/${name}`);
    }
  } catch {
    // there is no such folder
  }
  const read = files.sort().map(async (path) => {
    const parse = path.endsWith(".list") ? parseList : path.endsWith(".sources") ? parseSources : null;
    return parse ? parse(await Deno.readTextFile(path).catch(() => "")) : [];
  });
  return (await Promise.all(read)).flat();
}

function kept(options: readonly (readonly [string, string])[]): [string, string][] {
  return options.flatMap(([name, value]) => {
    const known = KEPT.find((known) => known.toLowerCase() === name.toLowerCase());
    return known && value ? [[known, value]] : [];
  });
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
