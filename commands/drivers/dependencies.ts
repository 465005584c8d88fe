/**
 * Which packages a package needs beyond those that the system has: its `Depends` against dpkg's list. What apt itself would install is
 * no answer, because it would also update what has the old driver's version, and all of that belongs to the system.
 * @module
 */

/** A package's version and fields that matter here. */
export interface Package {
  readonly name: string;
  readonly version: string;
  /** `Pre-Depends` and `Depends`, as written. */
  readonly depends: string;
  /** `Provides`, as written. */
  readonly provides: string;
}

/** One way of meeting a dependency. */
export interface Requirement {
  readonly name: string;
  /** Such as `>=` and a version. */
  readonly relation?: readonly [operator: string, version: string];
}

/** What the answers come from. */
export interface PackageSource {
  /** What the system has of this name, with what is there under another name. */
  installed(name: string): readonly Package[];
  /** What the package sources offer, the newest first. */
  offered(name: string): Promise<readonly Package[]>;
  /** Whether `a operator b` holds, as dpkg compares versions. */
  compare(a: string, operator: string, b: string): Promise<boolean>;
}

/** Packages that no process may have two of: it has long loaded the system's. */
const SHARED = new Set(["libc6", "libgcc-s1", "libstdc++6", "libvulkan1"]);

/** Something is needed that neither the system nor the sources have. */
export class DependencyError extends Error {
  /** The class's name. */
  override readonly name = "DependencyError";
}

/** The clauses of a `Depends` field: each is a list of alternatives. */
export function parseDepends(text: string): Requirement[][] {
  return text.split(",").map((clause) => clause.trim()).filter((clause) => clause !== "").map((clause) =>
    clause.split("|").flatMap((alternative) => {
      const match = /^\s*([^\s:(]+)(?::\w+)?\s*(?:\((<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?/.exec(alternative);
      if (!match) return [];
      const [, name, operator, version] = match;
      return [{ name: name!, ...operator && version ? { relation: [operator, version] as const } : {} }];
    })
  );
}

/** `root` and every package that it needs and the system lacks, or has too old. Throws a `DependencyError` that names the missing one. */
export async function missingPackages(root: Package, source: PackageSource): Promise<Package[]> {
  const taken = new Map<string, Package>([[root.name, root]]);
  const meets = async ({ name, relation }: Requirement, have: Package) => {
    if (have.name === name) return !relation || await source.compare(have.version, ...relation);
    return !relation && parseDepends(have.provides).some(([provided]) => provided?.name === name);
  };
  const find = async (wanted: Requirement, among: readonly Package[]) => {
    for (const candidate of among) if (await meets(wanted, candidate)) return candidate;
  };
  for (const current of taken.values()) { // a Map's iteration also comes to what is added meanwhile
    for (const alternatives of parseDepends(current.depends)) {
      const have = alternatives.map((wanted) =>
        find(wanted, [...taken.values(), ...source.installed(wanted.name)])
      );
      if ((await Promise.all(have)).some((found) => found !== undefined)) continue;
      let found: Package | undefined;
      for (const wanted of alternatives) {
        if (!SHARED.has(wanted.name)) found ??= await find(wanted, await source.offered(wanted.name));
      }
      if (found === undefined) {
        const text = alternatives.map(({ name, relation }) =>
          relation ? `${name} (${relation.join(" ")})` : name
        );
        throw new DependencyError(`${current.name} ${current.version} needs ${text.join(" or ")}`);
      }
      taken.set(found.name, found);
    }
  }
  return [...taken.values()];
}
