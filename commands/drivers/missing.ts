/**
 * What to do where the system offers no adapter at all: which packages to install, or what to tell a person.
 * @module
 */

/** What decides what can be done about a missing adapter. */
export interface Facts {
  /** The operating system. */
  readonly os: typeof Deno.build.os;
  /** `ID` and `ID_LIKE` of /etc/os-release, the most specific first; none on other systems. */
  readonly distributions: readonly string[];
  /** Whether the Vulkan loader can be opened. */
  readonly loader: boolean;
  /** File names of the installed Vulkan drivers' descriptions, such as `lvp_icd.x86_64.json`. */
  readonly drivers: readonly string[];
  /** Environment variables, as `NAME=value`, that decide which drivers are looked at. */
  readonly choices: readonly string[];
  /** Whether this runs as root. */
  readonly root: boolean;
  /** Whether sudo works without a password. */
  readonly sudo: boolean;
}

/** Why there is no adapter, and either what can be run or what a person has to do. */
export type Plan =
  & { readonly reason: string }
  & ({ readonly commands: readonly (readonly string[])[] } | { readonly advice: string });

const PACKAGES = ["mesa-vulkan-drivers", "libvulkan1"];
const APT_OPTIONS = ["-q", "-o", "DPkg::Lock::Timeout=300"];

/** What to do about a missing adapter; pure. */
export function plan(facts: Facts): Plan {
  const reason = explain(facts);
  if (facts.os === "darwin") {
    return {
      reason,
      advice: "Run this on the Mac itself: in a virtual machine macOS may offer no Metal device.",
    };
  }
  if (facts.os === "windows") {
    return {
      reason,
      advice: "Install the graphics driver of the GPU's maker, which brings Direct3D 12 and Vulkan.",
    };
  }
  if (facts.choices.length > 0) {
    return {
      reason,
      advice: `Unset ${facts.choices.map((choice) => choice.split("=", 1)[0]).join(" and ")}.`,
    };
  }
  const has = (...names: string[]) => names.some((name) => facts.distributions.includes(name));
  if (hasSoftwareDriver(facts)) {
    return {
      reason,
      advice: "Run vulkaninfo --summary (package vulkan-tools) to see why the drivers offer nothing.",
    };
  }
  if (has("debian", "ubuntu")) {
    if (facts.root || facts.sudo) return { reason, commands: aptCommands(facts.root) };
    const install = `apt-get install --no-install-recommends ${PACKAGES.join(" ")}`;
    return { reason, advice: `Run this as an administrator: sudo apt-get update && sudo ${install}` };
  }
  const command = has("fedora", "rhel", "centos")
    ? "sudo dnf install mesa-vulkan-drivers vulkan-loader"
    : has("arch")
    ? "sudo pacman -S vulkan-swrast vulkan-icd-loader"
    : has("suse", "opensuse")
    ? "sudo zypper install libvulkan_lvp libvulkan1"
    : null;
  const advice = command === null
    ? "Install the Vulkan loader and a Vulkan driver, Mesa's lavapipe for example, with the system's package manager."
    : `Run this as an administrator: ${command}`;
  return { reason, advice };
}

function explain({ os, loader, drivers, choices }: Facts): string {
  const none = "WebGPU finds no adapter: ";
  if (choices.length > 0) return `${none}there is none with ${choices.join(" ")} in the environment.`;
  if (os === "darwin" || os === "windows") return `${none}the system offers no GPU.`;
  if (!loader) return `${none}the Vulkan loader (libvulkan.so.1) is not installed.`;
  if (drivers.length === 0) return `${none}the Vulkan loader is installed, but no Vulkan driver.`;
  return `${none}the Vulkan drivers that are installed (${drivers.join(", ")}) have no device to offer.`;
}

function hasSoftwareDriver({ loader, drivers }: Facts): boolean {
  return loader && drivers.some((name) => name.startsWith("lvp_"));
}

function aptCommands(root: boolean): string[][] {
  const prefix = root ? [] : ["sudo", "-n"];
  const quietly = [...prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", ...APT_OPTIONS];
  return [[...quietly, "update"], [...quietly, "install", "-y", "--no-install-recommends", ...PACKAGES]];
}

/** The `ID` and `ID_LIKE` values of an os-release file. */
export function distributionsOf(osRelease: string): string[] {
  const value = (key: string) => new RegExp(`^${key}=["']?([^"'\\n]*)`, "m").exec(osRelease)?.[1] ?? "";
  return `${value("ID")} ${value("ID_LIKE")}`.split(/\s+/).filter((name) => name !== "");
}
