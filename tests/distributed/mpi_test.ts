/**
 * Runs of several processes, by each MPI that is installed (openmpi-bin and mpich on Debian and Ubuntu); the names of those that are not say
 * so.
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { MpiKind } from "../../distributed/mpi/library.ts";
import { present, testNeeding } from "../permissions.ts";
import { withShapes } from "../training/small_run.ts";

const ROOT = join(import.meta.dirname!, "../..");

/** Debian's names of the launchers, since `mpirun` is that of the package which was installed last. */
const LAUNCHERS: Readonly<Record<MpiKind, { readonly program: string; readonly args: readonly string[] }>> = {
  "Open MPI": { program: "/usr/bin/mpirun.openmpi", args: ["--oversubscribe"] },
  MPICH: { program: "/usr/bin/mpirun.mpich", args: [] },
};

const test = testNeeding("all");

/** A test for each launcher. */
function testEach(name: string, run: (kind: MpiKind) => Promise<void>): void {
  for (const kind of Object.keys(LAUNCHERS) as MpiKind[]) {
    const { program } = LAUNCHERS[kind];
    if (present(program)) test(`${name}: ${kind}`, () => run(kind));
    else test({ name: `${name}: ${kind} (needs ${program})`, fn: () => {}, ignore: true });
  }
}

const ENV = {
  ...{ OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1", ALEXNET_DRIVER: "system" },
  // Each rank would pin itself to the same core as the others.
  OMPI_MCA_hwloc_base_binding_policy: "none",
};

function start(program: string, args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(program, { args: [...args], env: ENV, cwd: ROOT, stdout: "piped", stderr: "piped" })
    .spawn();
}

const TRAIN = ["run", "-A", "train.ts"];

function launch(kind: MpiKind, ranks: number, args: readonly string[]): Deno.ChildProcess {
  const { program, args: own } = LAUNCHERS[kind];
  return start(program, [...own, "-n", `${ranks}`, Deno.execPath(), ...TRAIN, ...args, "--distributed"]);
}

async function success(child: Deno.ChildProcess): Promise<string> {
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, `${text}\n${new TextDecoder().decode(stderr)}`);
  return text;
}

const options = (dir: string, data: string, steps: number) => [
  ...["--data", data, "--cache", join(dir, "cache"), "--workers", "1", "--json", "--seed", "4"],
  ...[
    "--model",
    "compact-bn",
    "--size",
    "64",
    "--batch-size",
    "2",
    "--steps",
    `${steps}`,
    "--micro-batches",
    "3",
  ],
];

testEach(
  "a run whose rank is killed ends, names the rank, and goes on with another number of ranks to the bits of one",
  (kind) =>
    withShapes(async (dir, data) => {
      const run = join(dir, "run"), alone = join(dir, "alone");
      const child = launch(kind, 3, [...options(dir, data, 6), "--out", run, "--save-every", "2"]);
      const decoder = new TextDecoder();
      let text = "", killed = 0;
      const errors = new Response(child.stderr).text();
      for await (const piece of child.stdout) {
        text += decoder.decode(piece, { stream: true });
        if (killed === 0 && text.includes('"step":2,')) {
          killed = Number(/1 is process (\d+)/.exec(text)?.[1]);
          Deno.kill(killed, "SIGKILL");
        }
      }
      assertNotEquals((await child.status).code, 0);
      assert(killed > 0, `${text}\n${await errors}`);
      assertStringIncludes(
        await errors,
        `rank 1 on ${Deno.hostname()}: its process ${killed} was ended by SIGKILL`,
      );
      const resumed = await success(launch(kind, 2, ["--resume", run]));
      assertStringIncludes(resumed, `2 by ${kind}`);
      await success(
        start(Deno.execPath(), [...TRAIN, ...options(dir, data, 6), "--out", alone]),
      );
      for (const file of ["last.safetensors", "best.safetensors"]) {
        assertEquals(await Deno.readFile(join(run, file)), await Deno.readFile(join(alone, file)), file);
      }
    }),
);
