import { assert, assertEquals } from "@std/assert";
import { parseAll } from "@std/yaml";
import { TRAIN_COMMAND } from "../../commands/train_command.ts";
import { setUp } from "./fixture.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));

const exists = (path: string) => Deno.stat(new URL(path, ROOT)).then(() => true, () => false);

/** Manifests have no types here, and only what is asserted matters. */
// deno-lint-ignore no-explicit-any
async function manifests(file: string): Promise<any[]> {
  // deno-lint-ignore no-explicit-any
  return parseAll(await read(`deploy/${file}`)) as any[];
}

let help = "";

async function assertKnownFlags(args: readonly string[]) {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "serve.ts", "--help"], cwd: ROOT });
  help ||= new TextDecoder().decode((await command.output()).stdout);
  for (const arg of args.filter((arg) => arg.startsWith("--"))) {
    const name = arg.split("=", 1)[0]!;
    assert(help.includes(`  ${name} `), `serve has no ${name}`);
  }
}

async function assertServed(path: string) {
  await using server = await setUp();
  assertEquals((await server.app.request(path)).status, 200, path);
}

test("the Kubernetes manifests parse, use flags that exist and probe routes that answer", async () => {
  const [deployment, service, , autoscaler] = await manifests("kubernetes.yaml");
  const [container] = deployment.spec.template.spec.containers;
  await assertKnownFlags(container.args);
  for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
    await assertServed(container[probe].httpGet.path);
  }
  assertEquals(service.spec.selector, deployment.spec.template.metadata.labels);
  assertEquals(autoscaler.spec.scaleTargetRef.name, deployment.metadata.name);
  const drain = Number(container.args.find((arg: string) => arg.startsWith("--drain-ms=")).split("=")[1]);
  assert(deployment.spec.template.spec.terminationGracePeriodSeconds * 1000 > drain);
});

test("the KServe manifest serves a model of the service's own name", async () => {
  const [service] = await manifests("kserve.yaml");
  const [container] = service.spec.predictor.containers;
  await assertKnownFlags(container.args);
  const { name } = service.metadata;
  assert(container.args[0].startsWith(`--checkpoint=${name}=/mnt/models/`));
  assertEquals(container.readinessProbe.httpGet.path, `/v2/models/${name}/ready`);
  assert(container.args.includes(`--port=${container.ports[0].containerPort}`));
});

test("what KEDA scales the KServe service by is what the server tells, and its flags and probes exist", async () => {
  const [service] = await manifests("kserve-keda.yaml");
  const { metadata, spec: { predictor } } = service;
  assertEquals(metadata.annotations, {
    "serving.kserve.io/deploymentMode": "RawDeployment",
    "serving.kserve.io/autoscalerClass": "keda",
  });
  await using server = await setUp();
  const told = await (await server.app.request("/metrics")).text();
  for (const { type, external: { metric, target } } of predictor.autoScaling.metrics) {
    const names = metric.query.match(/alexnet_\w+/g);
    for (const name of names) assert(told.includes(`# TYPE ${name} `), `the server tells no ${name}`);
    // The API takes numbers as text, and knows these kinds of targets.
    assertEquals([type, metric.backend, typeof target.value], ["External", "prometheus", "string"]);
    assert(["Value", "AverageValue", "Utilization"].includes(target.type) && Number(target.value) > 0);
  }
  const [container] = predictor.containers, [init] = predictor.initContainers;
  await assertKnownFlags(container.args);
  assertEquals(container.readinessProbe.httpGet.path, `/v2/models/${metadata.name}/ready`);
  assert(init.command.includes("--out=/models/best.safetensors"));
});

test("the MPI job starts ranks by a command that train knows, resumes what is there, and has a place for each", async () => {
  const [job] = await manifests("mpijob.yaml");
  assertEquals([job.apiVersion, job.kind], ["kubeflow.org/v2beta1", "MPIJob"]);
  const { Launcher, Worker } = job.spec.mpiReplicaSpecs;
  const [launcher] = Launcher.template.spec.containers, [text] = launcher.args;
  const ranks = Number(/mpirun -n (\d+)/.exec(text)![1]);
  assertEquals(ranks, Worker.replicas * job.spec.slotsPerWorker);
  for (
    const flag of text.match(/--[a-z-]+/g).filter((flag: string) => !/allow-run-as-root|bind-to/.test(flag))
  ) {
    assert(
      flag.slice(2).replace(/-./g, (dash: string) => dash[1]!.toUpperCase()) in TRAIN_COMMAND.flags,
      flag,
    );
  }
  assert(Number(/--micro-batches (\d+)/.exec(text)![1]) >= ranks);
  const volumes = Worker.template.spec.volumes.map(({ name }: { name: string }) => name);
  for (const { name } of Worker.template.spec.containers[0].volumeMounts) {
    assert(volumes.includes(name), name);
  }
});

test("the Dockerfile starts the server with flags that exist, and copies what it imports", async () => {
  const dockerfile = await read("Dockerfile");
  const [entry, command] = ["ENTRYPOINT", "CMD"].map((word) => {
    const line = dockerfile.split("\n").find((line) => line.startsWith(`${word} `))!;
    return JSON.parse(line.slice(word.length)) as string[];
  });
  await assertKnownFlags([...entry!.slice(entry!.indexOf("serve.ts")), ...command!]);
  const copied = [...dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap((match) => match[1]!.split(" "));
  // The server, and what its workers and processes load.
  const entries = /deno cache --frozen (.+?) *\\?$/m.exec(dockerfile)![1]!.split(" ");
  const loaded = [
    "server/workers/gpu_worker.ts",
    "server/workers/codec_worker.ts",
    "data/image/decoder_process.ts",
  ];
  for (const entry of ["serve.ts", ...loaded]) assert(entries.includes(entry), `${entry} is not cached`);
  for (const path of [...copied, ...entries]) assert(await exists(path), `there is no ${path}`);
  const modules: { local?: string }[] = [];
  for (const entry of entries) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry], cwd: ROOT })
      .output();
    modules.push(...JSON.parse(new TextDecoder().decode(stdout)).modules);
  }
  const root = ROOT.pathname;
  for (const { local } of modules) {
    if (!local?.startsWith(root) || local.includes("node_modules")) continue;
    const part = local.slice(root.length).split("/")[0]!;
    assert(copied.includes(part), `${part} is imported and not copied`);
  }
});
