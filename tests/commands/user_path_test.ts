import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { type AnyCommand, flag, parseFlags } from "../../commands/cli/args.ts";
import { CHECKPOINT_FLAG } from "../../commands/cli/checkpoint.ts";
import { shownPath, userPath } from "../../commands/cli/user_path.ts";
import { TRAIN_COMMAND } from "../../commands/train_command.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");
const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** Does something in `here` as if the task had been typed in `user`. */
function typedIn<T>(user: string | undefined, here: string, work: () => T): T {
  const [before, folder] = [Deno.env.get("INIT_CWD"), Deno.cwd()];
  const set = (value: string | undefined) =>
    value === undefined ? Deno.env.delete("INIT_CWD") : Deno.env.set("INIT_CWD", value);
  set(user);
  Deno.chdir(here);
  try {
    return work();
  } finally {
    Deno.chdir(folder);
    set(before);
  }
}

test("what people type is meant from the folder that they are in, what the program chooses stays its own", () => {
  const user = join(ROOT, "docs");
  typedIn(user, ROOT, () => {
    assertEquals(["x/y", "../z", "/abs", "-", "https://a.b/c.jpg"].map(userPath), [
      ...[join(user, "x/y"), join(ROOT, "z"), "/abs", "-", "https://a.b/c.jpg"],
    ]);
    assertEquals(shownPath("runs/a"), join(ROOT, "runs/a"));
  });
  const asItIs = () => assertEquals([userPath("x/y"), shownPath("runs/a")], ["x/y", "runs/a"]);
  typedIn(ROOT, ROOT, asItIs);
  typedIn(undefined, ROOT, asItIs);
  typedIn("/no/such/folder", ROOT, asItIs);
  // In another folder than the project's no task of it has set the variable.
  typedIn(user, join(ROOT, "tests"), asItIs);
});

test("flags and arguments that are paths follow", () =>
  typedIn(join(ROOT, "docs"), ROOT, () => {
    const typed = ["--data=d", "--weights=w", "--out=o", "--cache=c", "--resume=r", "--classes=a,b"];
    const { data, weights, out, cache, resume, classes, model } = parseFlags(typed, TRAIN_COMMAND);
    assertEquals(
      [data, weights, out, cache, resume],
      ["d", "w", "o", "c", "r"].map((name) => join(ROOT, "docs", name)),
    );
    assertEquals([classes, model], [["a", "b"], undefined]);
    const flags = {
      checkpoint: CHECKPOINT_FLAG,
      cache: flag.path({ help: "", default: ".cache" }),
      text: flag.string({ help: "" }),
    };
    const command = (paths: boolean): AnyCommand => ({
      ...{ name: "c", summary: "", flags },
      positionals: { name: "FILE", paths },
    });
    const parsed = parseFlags(["--checkpoint", "c", "--text", "t", "f"], command(true));
    assertEquals(parsed as unknown, {
      checkpoint: join(ROOT, "docs/c"),
      cache: join(ROOT, ".cache"),
      text: "t",
      positionals: [join(ROOT, "docs/f")],
    });
    assertEquals(parseFlags(["--checkpoint", "c", "f"], command(false)).positionals, ["f"]);
  }));

for (
  const [task, args, named] of [
    ["evaluate", ["--checkpoint", "none/a", "--data", "none/d"], "none/a"],
    ["inspect", ["--data", "none/d"], "none/d"],
    ["train", ["--data", "none/d", "--steps", "1"], "none/d"],
    ["predict", ["--checkpoint", "none/a", "none/p.jpg"], "none/a"],
    ["export", ["none/a", "none/b.onnx"], "none/a"],
    ["convert", ["--classes", "a,b", "none/a", "none/b.safetensors"], "none/a"],
    ["cache", ["--json", "--folder", "none/c"], "none/c"],
    ["serve", ["--checkpoint", "m=none/a", "--port", "0"], "none/a"],
  ] as const
) {
  test(`deno task ${task} in a subfolder looks for files there`, async () => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", task, ...args],
      cwd: join(ROOT, "docs"),
      clearEnv: true,
      env: Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => name !== "INIT_CWD")),
    }).output();
    const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    assertStringIncludes(text, join(ROOT, "docs", named));
  });
}
