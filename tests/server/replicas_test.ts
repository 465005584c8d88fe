import { assert, assertEquals } from "@std/assert";
import { encodePhoto, textLines, until } from "./fixture.ts";
import { granted, present, testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const ROOT = new URL("../../", import.meta.url);
const PHOTO = await encodePhoto([200, 10, 10]);

interface Balancer {
  readonly name: string;
  readonly program: string;
  /** Turns the example into one for these ports, with everything it writes in `folder`. */
  configure(example: string, port: number, replicas: readonly string[], folder: string): string;
  args(config: string, folder: string): string[];
}

const nginx: Balancer = {
  name: "nginx",
  program: "/usr/sbin/nginx",
  configure: (example, port, replicas, folder) => {
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) =>
      `${kind}_temp_path ${folder}/${kind};`
    );
    return replaceAll(example, [
      ["listen 80;", `listen 127.0.0.1:${port};`],
      ["http {", `http {\n  access_log off;\n  ${paths.join("\n  ")}`],
      ["alexnet-1:8000", replicas[0]!],
      ["alexnet-2:8000", replicas[1]!],
    ]);
  },
  args: (config, folder) => [
    "-c",
    config,
    "-e",
    `${folder}/error.log`,
    "-g",
    `daemon off; pid ${folder}/pid;${Deno.uid() === 0 ? " user root;" : ""}`,
  ],
};

const haproxy: Balancer = {
  name: "HAProxy",
  program: "/usr/sbin/haproxy",
  configure: (example, port, replicas) =>
    replaceAll(example, [
      ["bind *:80", `bind 127.0.0.1:${port}`],
      ["alexnet-1:8000", replicas[0]!],
      ["alexnet-2:8000", replicas[1]!],
    ]),
  args: (config) => ["-db", "-f", config],
};

function replaceAll(text: string, pairs: readonly (readonly [string, string])[]): string {
  for (const [from, to] of pairs) {
    assert(text.includes(from), `the example has no ${from}`);
    text = text.replaceAll(from, to);
  }
  return text;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Requests of a rolling update, at least; more may be asked for. */
const ROLLING_REQUESTS = Number((granted("env") ? Deno.env.get("ROLLING_REQUESTS") : undefined) ?? 400);

async function startReplica(checkpoint: string, port = "0") {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "tests/server/replica.ts", checkpoint, port],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = textLines(process.stdout).getReader();
  const address = (await lines.read()).value ?? "";
  assert(address !== "", "the replica did not start");
  const reading = (async () => {
    while (!(await lines.read()).done);
  })();
  return { process, address, ended: process.status.then((status) => reading.then(() => status.code)) };
}

type Replica = Awaited<ReturnType<typeof startReplica>>;

/** Both replicas behind the balancer, as in its example file in `deploy/`. */
async function startCluster(balancer: Balancer, file: string) {
  const folder = await Deno.makeTempDir();
  const checkpoint = `${folder}/model.json`;
  await Deno.writeTextFile(checkpoint, JSON.stringify({ delayMs: 10 }));
  const replicas = [await startReplica(checkpoint), await startReplica(checkpoint)];
  const port = freePort();
  const example = await Deno.readTextFile(new URL(`deploy/${file}`, ROOT));
  const config = `${folder}/${file}`;
  await Deno.writeTextFile(
    config,
    balancer.configure(example, port, replicas.map(({ address }) => address), folder),
  );
  const front = new Deno.Command(balancer.program, {
    args: balancer.args(config, folder),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `http://127.0.0.1:${port}`;
  /** How many predictions each version has answered. */
  const versions = new Map<string, number>();
  const ask = async (path: string, init?: RequestInit) => {
    const response = await fetch(url + path, init);
    const answer = { status: response.status, text: await response.text() };
    if (path === "/predict" && answer.status === 200) {
      const { version } = JSON.parse(answer.text);
      versions.set(version, (versions.get(version) ?? 0) + 1);
    }
    return answer;
  };
  await until(() => ask("/v2/health/ready").then(({ status }) => status === 200, () => false));
  const clean = async () => {
    // Asked to end, the front ends its own processes; killed, it would leave them behind.
    front.kill("SIGTERM");
    await front.status;
    for (const { process } of replicas) {
      try {
        process.kill("SIGKILL");
      } catch { // It has ended.
      }
    }
    await Promise.all(replicas.map((replica) => replica.ended));
    await Deno.remove(folder, { recursive: true });
  };
  return { replicas, ask, versions, folder, [Symbol.asyncDispose]: clean };
}

/** Keeps eight clients asking until `act` is done and they had 100 answers more; gives the count of each status. */
async function underLoad(
  ask: (path: string, init?: RequestInit) => Promise<{ status: number }>,
  act: () => Promise<void>,
  least = 0,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  let answered = 0;
  let goal = Infinity;
  const clients = Array.from({ length: 8 }, async () => {
    while (answered < goal) {
      const { status } = await ask("/predict", { method: "POST", body: PHOTO });
      counts[status] = (counts[status] ?? 0) + 1;
      answered++;
    }
  });
  await until(() => answered > 50);
  await act();
  goal = Math.max(answered + 100, least);
  await Promise.all(clients);
  return counts;
}

const cases: readonly [Balancer, string][] = [[nginx, "nginx.conf"], [haproxy, "haproxy.cfg"]];

for (const [balancer, file] of cases) {
  const ignore = !present(balancer.program);

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    test({
      name: `with ${balancer.name} in front of two replicas, ${signal} of one under load fails no request`,
      ignore,
      fn: async () => {
        await using cluster = await startCluster(balancer, file);
        const [first] = cluster.replicas as [Replica, Replica];
        const counts = await underLoad(cluster.ask, async () => {
          first.process.kill(signal);
          const code = await first.ended;
          if (signal === "SIGTERM") assertEquals(code, 0);
        });
        assertEquals(Object.keys(counts), ["200"], JSON.stringify(counts));
      },
    });
  }

  test({
    name:
      `with ${balancer.name} in front, a new version rolled out replica by replica under load fails no request`,
    ignore,
    fn: async () => {
      await using cluster = await startCluster(balancer, file);
      const next = `${cluster.folder}/next.json`;
      await Deno.writeTextFile(next, JSON.stringify({ delayMs: 11 }));
      const counts = await underLoad(cluster.ask, async () => {
        for (const [i, replica] of [...cluster.replicas].entries()) {
          replica.process.kill("SIGTERM");
          assertEquals(await replica.ended, 0);
          cluster.replicas[i] = await startReplica(next, replica.address.split(":")[1]);
          // Until it is sent requests again, the other one must stay.
          await until(() => cluster.versions.size === 2);
        }
      }, ROLLING_REQUESTS);
      assertEquals(Object.keys(counts), ["200"], JSON.stringify(counts));
      assert(counts["200"]! >= ROLLING_REQUESTS, JSON.stringify(counts));
      assertEquals(cluster.versions.size, 2, "both versions answered");
    },
  });

  test({
    name: `with ${balancer.name} in front, what concerns one replica is not reached through it`,
    ignore,
    fn: async () => {
      await using cluster = await startCluster(balancer, file);
      for (const path of ["/metrics", "/v2/repository/index"]) {
        assertEquals((await cluster.ask(path, { method: "POST" })).status, 404);
      }
      assertEquals((await cluster.ask("/v2/models/animals")).status, 200);
      assertEquals((await cluster.ask("/")).status, 200);
    },
  });
}
