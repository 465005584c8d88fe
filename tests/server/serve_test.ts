import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { requestAdapter } from "../../engine/gpu.ts";
import { encodePhoto, serveFake, textLines, until } from "./fixture.ts";
import { writeCheckpoint } from "../formats/checkpoints.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const ROOT = new URL("../../", import.meta.url);
const photo = () => encodePhoto([200, 10, 10], { width: 300, height: 200, format: "jpeg" });
const hasAdapter = await requestAdapter() !== null;

function command(args: readonly string[], cwd: URL | string = ROOT, permissions: readonly string[] = ["-A"]) {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      ...permissions,
      "--no-prompt",
      "--config",
      new URL("deno.json", ROOT).pathname,
      new URL("serve.ts", ROOT).pathname,
      ...args,
    ],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(args: readonly string[], cwd?: string, permissions?: readonly string[]) {
  const { code, stderr } = await command(args, cwd, permissions).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

/** Starts the command and waits until it is ready; its log lines are collected. */
async function start(args: readonly string[], permissions?: readonly string[]) {
  const process = command(["--port", "0", ...args], ROOT, permissions).spawn();
  const lines: Record<string, unknown>[] = [];
  const reading = (async () => {
    for await (const line of textLines(process.stdout)) lines.push(JSON.parse(line));
  })();
  const errors = new Response(process.stderr).text();
  const ended = process.status.then(async ({ code }) => {
    await reading;
    return { code, errors: await errors };
  });
  let early: unknown;
  void ended.then((status) => early = status);
  await until(() => early !== undefined || lines.some((line) => line.message === "ready"));
  assertEquals(early, undefined, JSON.stringify(lines));
  const url = String(lines.find((line) => line.message === "ready")!.url);
  const clean = async () => {
    try {
      process.kill("SIGKILL");
    } catch { // It has ended.
    }
    await ended;
  };
  return { url, lines, process, ended, [Symbol.asyncDispose]: clean };
}

test("serve names an unknown flag or an unreadable value and exits with 2", async () => {
  for (
    const [args, message] of [
      [["--prot", "80"], /unknown flag --prot/],
      [["--port", "eighty"], /--port got "eighty", expected a whole number/],
      [["--checkpoint", "a b!=x.safetensors"], /Cannot name a model "a b!"/],
    ] as const
  ) {
    const { code, stderr } = await run(args);
    assertEquals(code, 2);
    assertMatch(stderr, message);
  }
});

test("serve without a checkpoint says how to get one and exits with 1", async () => {
  const empty = await Deno.makeTempDir();
  const { code, stderr } = await run([], empty);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "deno task train");
  assertEquals(stderr.trim().split("\n").length, 1);
  await Deno.remove(empty);
});

test({
  name: "serve names a checkpoint that is missing or broken and exits with 1",
  ignore: !hasAdapter,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/best.safetensors`, "junk");
    for (const path of ["/nowhere/best.safetensors", `${folder}/best.safetensors`]) {
      const { code, stderr } = await run(["--checkpoint", path, "--port", "0"]);
      assertEquals(code, 1);
      assertStringIncludes(stderr, path);
    }
    // What can be known before is said before anybody is listened to.
    const { stdout } = await command(["--checkpoint", "/nowhere/best.safetensors", "--port", "0"]).output();
    assertEquals(new TextDecoder().decode(stdout), "");
    // A run's folder means its best checkpoint, with a name before it or without.
    for (const given of [folder, `mine=${folder}`]) {
      const { code, stderr } = await run(["--checkpoint", given, "--port", "0"]);
      assertEquals(code, 1);
      assertStringIncludes(stderr, `${folder}/best.safetensors`);
    }
    await Deno.remove(`${folder}/best.safetensors`);
    const { code, stderr } = await run(["--checkpoint", folder, "--port", "0"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `Cannot find a checkpoint in ${folder}`);
    await Deno.remove(folder, { recursive: true });
  },
});

test({
  name:
    "serve answers photos, reloads on SIGHUP, and after SIGTERM fails nothing that it accepted and exits with 0",
  ignore: !hasAdapter,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/best.safetensors`;
    await writeCheckpoint(path, 1);
    await using server = await start([
      "--checkpoint",
      `first=${path}`,
      "--max-batch",
      "4",
      "--watch-ms",
      "0",
      "--lame-duck-ms",
      "200",
    ]);
    const predict = async () => {
      const response = await fetch(new URL("/predict", server.url), { method: "POST", body: await photo() });
      return { status: response.status, ...await response.json() };
    };
    const before = await predict();
    assertEquals([before.status, before.model], [200, "first"]);
    await writeCheckpoint(path, 2);
    assertEquals((await predict()).version, before.version, "it does not watch");
    server.process.kill("SIGHUP");
    await until(async () => (await predict()).version !== before.version);
    assert((await predict()).probability !== before.probability);
    let stopping = false;
    const statuses: number[] = [];
    const clients = Array.from({ length: 4 }, async () => {
      while (!stopping) statuses.push((await predict()).status);
    });
    await until(() => statuses.length > 8);
    stopping = true;
    server.process.kill("SIGTERM");
    await Promise.all(clients);
    assertEquals(statuses.filter((status) => status !== 200), []);
    assertEquals(await server.ended, { code: 0, errors: "" });
    assertEquals(server.lines.at(-1)!.message, "stopped");
    await Deno.remove(folder, { recursive: true });
  },
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test({
    name: `serve that is sent ${signal} while it loads ends with 0`,
    ignore: !hasAdapter || Deno.build.os === "windows",
    fn: async () => {
      const folder = await Deno.makeTempDir();
      await writeCheckpoint(`${folder}/best.safetensors`, 1);
      const process = command(["--checkpoint", folder, "--port", "0"]).spawn();
      const errors = new Response(process.stderr).text();
      const messages: string[] = [];
      for await (const line of textLines(process.stdout)) {
        messages.push(JSON.parse(line).message);
        if (messages.at(-1) === "listening") process.kill(signal);
      }
      assertEquals([(await process.status).code, await errors], [0, ""]);
      assertEquals(messages, ["listening", "stopped"]);
      await Deno.remove(folder, { recursive: true });
    },
  });
}

test("serve takes a folder of runs, says which run it chose, and names the model after it", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/o odd`);
  await Deno.mkdir(`${folder}/x/o odd`, { recursive: true });
  for (const run of ["o odd", "x/o odd"]) {
    await Deno.writeTextFile(`${folder}/${run}/best.safetensors`, "junk");
  }
  const { stdout } = await command(["--checkpoint", folder, "--port", "0"]).output();
  const [first] = new TextDecoder().decode(stdout).split("\n");
  assertEquals(JSON.parse(first!).message, `Checkpoint ${folder}/o odd/best.safetensors`);
  const twice = ["o odd", "x/o odd"].flatMap((run) => ["--checkpoint", `${folder}/${run}`]);
  const { code, stderr } = await run(twice);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "both as o_odd: give each a name");
  await Deno.remove(folder, { recursive: true });
});

test({
  name:
    "serve answers the same classes as the classifier does directly, through photos and tensors of the real network",
  ignore: !hasAdapter,
  fn: async () => {
    const { loadClassifier } = await import("../../model/inference/load.ts");
    const { decodeImage } = await import("../../data/image/decode.ts");
    const folder = await Deno.makeTempDir();
    const path = `${folder}/best.safetensors`;
    await writeCheckpoint(path, 3);
    await using server = await start(["--checkpoint", path, "--max-batch", "2"]);
    const classifier = await loadClassifier(path, { maxBatch: 1 });
    const [direct] = await classifier.classify([await decodeImage(await photo())]);
    const input = new Float32Array(3 * 224 * 224).map((_, i) => Math.sin(i));
    const logits = await classifier.infer(input, 1);
    await classifier.close();
    const predicted = await (await fetch(new URL("/predict?explain=true", server.url), {
      method: "POST",
      body: await photo(),
    }))
      .json();
    for (const [k, name] of ["bird", "dog", "panda"].entries()) {
      const told = predicted.probabilities.find((c: { class: string }) => c.class === name);
      assert(Math.abs(told.probability - direct!.probabilities[k]!) < 1e-5);
    }
    assertMatch(predicted.overlay, /^data:image\/png;base64,/);
    const model = predicted.model;
    const response = await fetch(new URL(`/v2/models/${model}/infer`, server.url), {
      method: "POST",
      body: JSON.stringify({
        inputs: [{ name: "input", shape: [1, 3, 224, 224], datatype: "FP32", data: Array.from(input) }],
        outputs: [{ name: "logits" }],
      }),
    });
    const { outputs } = await response.json();
    for (const [k, logit] of outputs[0].data.entries()) assert(Math.abs(logit - logits[k]!) < 1e-4);
    await Deno.remove(folder, { recursive: true });
  },
});

test({
  name: "the real network comes back after its device's worker is killed under load, with the same answers",
  ignore: !hasAdapter,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/best.safetensors`;
    await writeCheckpoint(path, 4);
    {
      await using server = await serveFake({
        sources: [{ name: "animals", path }],
        startGpuWorker: () =>
          new Worker(new URL("../../server/workers/gpu_worker.ts", import.meta.url), { type: "module" }),
        maxBatch: 4,
      });
      const body = await photo();
      const predict = () => server.ask("/predict", { method: "POST", body });
      const before = JSON.parse((await predict()).text);
      for (let i = 0; i < 3; i++) {
        const running = Array.from({ length: 6 }, predict);
        await until(() => server.models.resolve().batcher.load > 0);
        server.killDevice();
        for (const { status } of await Promise.all(running)) {
          assert(status === 200 || status === 503, String(status));
        }
        await until(async () => (await server.ask("/v2/health/ready")).status === 200);
        const after = JSON.parse((await predict()).text);
        assertEquals([after.class, after.probabilities], [before.class, before.probabilities]);
      }
    }
    await Deno.remove(folder, { recursive: true });
  },
});

/** What the documentation lists: files of the program and the checkpoint, one port, the decoders, names of the environment. */
const permissionsFor = (folder: string) => [
  `--allow-read=${new URL(".", ROOT).pathname},${folder}`,
  "--allow-net=127.0.0.1:0",
  `--allow-run=${Deno.execPath()}`,
  "--allow-env=ALEXNET_DRIVER,ALEXNET_TOKEN,DENO_WEBGPU_BACKEND,VK_DRIVER_FILES,VK_ICD_FILENAMES,XDG_RUNTIME_DIR",
  "--allow-sys=setPriority",
];

test({
  name: "serve answers photos with the listed permissions alone",
  ignore: !hasAdapter,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await writeCheckpoint(`${folder}/best.safetensors`, 1);
    {
      await using server = await start(
        ["--checkpoint", `${folder}/best.safetensors`, "--name", "m", "--lame-duck-ms", "0"],
        permissionsFor(folder),
      );
      const ask = async (query: string) => {
        const body = await photo();
        const response = await fetch(new URL(`/predict${query}`, server.url), { method: "POST", body });
        return { status: response.status, ...await response.json() };
      };
      const answer = await ask("?explain=true");
      assertEquals([answer.status, answer.model], [200, "m"]);
      assertStringIncludes(answer.overlay, "data:image/png");
      const metrics = await (await fetch(new URL("/metrics", server.url))).text();
      assertMatch(metrics, /^process_resident_memory_bytes \d{8,}$/m);
      server.process.kill("SIGTERM");
      assertEquals(await server.ended, { code: 0, errors: "" });
    }
    await Deno.remove(folder, { recursive: true });
  },
});

test("serve names the permission that it lacks in one sentence and exits with 1", async () => {
  const folder = await Deno.makeTempDir();
  const all = permissionsFor(folder);
  for (const missing of all) {
    const name = /^--allow-\w+/.exec(missing)![0];
    if (name === "--allow-sys" && Deno.build.os !== "linux") continue;
    const { code, stderr } = await run(
      ["--checkpoint", `${folder}/best.safetensors`, "--port", "0"],
      folder,
      all.filter((flag) => flag !== missing),
    );
    assertEquals([name, code], [name, 1]);
    assertMatch(
      stderr,
      new RegExp(`^deno task serve: Cannot start without the permission ${name}=.+: it .+\n$`),
    );
  }
  await Deno.remove(folder, { recursive: true });
});
