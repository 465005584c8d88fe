import { assertEquals, assertMatch } from "@std/assert";
import { FAKE_SIZE } from "../fake_loader.ts";
import { setUp } from "../fixture.ts";
import { floatInput, post, postBinary, tensor } from "./infer_client.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

test("the server's metadata names its extensions", async () => {
  await using server = await setUp();
  const response = await server.app.request("/v2");
  const { name, version, extensions } = await response.json();
  assertEquals(name, "alexnet-webgpu");
  assertMatch(version, /^\d+\.\d+\.\d+$/);
  assertEquals(extensions, ["binary_tensor_data", "classification", "model_repository"]);
});

test("the server is live always, and ready when it can answer", async () => {
  await using server = await setUp();
  const status = async (path: string) => (await server.app.request(path)).status;
  const all = async () => [
    await status("/v2/health/live"),
    await status("/v2/health/ready"),
    await status("/v2/models/animals/ready"),
    await status("/health"),
  ];
  assertEquals(await all(), [200, 200, 200, 200]);
  for (const phase of ["starting", "recovering", "draining"] as const) {
    server.state.phase = phase;
    assertEquals(await all(), [200, 503, 503, 503]);
  }
  server.state.phase = "serving";
  server.models.suspend("the device was lost");
  assertEquals(await all(), [200, 503, 503, 503]);
  assertEquals(await (await server.app.request("/v2/models/animals/ready")).json(), {
    name: "animals",
    ready: false,
  });
});

test("a model's metadata gives its inputs, outputs and versions, with and without a version in the path", async () => {
  await using server = await setUp();
  const { version } = server.models.resolve().identity;
  for (const path of ["/v2/models/animals", `/v2/models/animals/versions/${version}`]) {
    const response = await server.app.request(path);
    assertEquals(response.status, 200);
    assertEquals(await response.json(), {
      name: "animals",
      versions: [version],
      platform: "webgpu_wgsl",
      inputs: [
        { name: "input", datatype: "FP32", shape: [-1, 3, FAKE_SIZE, FAKE_SIZE] },
        { name: "image", datatype: "BYTES", shape: [-1] },
      ],
      outputs: [
        { name: "logits", datatype: "FP32", shape: [-1, 3] },
        { name: "probabilities", datatype: "FP32", shape: [-1, 3] },
        { name: "class", datatype: "BYTES", shape: [-1] },
      ],
    });
  }
});

test("a model or version that is not there is 404 in the protocol's error form", async () => {
  await using server = await setUp();
  for (const path of ["/v2/models/none", "/v2/models/none/ready", "/v2/models/animals/versions/9"]) {
    const response = await server.app.request(path);
    assertEquals(response.status, 404);
    assertEquals(Object.keys(await response.json()), ["error"]);
  }
  assertEquals((await post(server, { inputs: [floatInput(1)] }, "/v2/models/none/infer")).status, 404);
});

test("a model that can tell what is unknown has an output for it, as JSON and as bytes", async () => {
  await using server = await setUp({ checkpoints: { animals: { knownFrom: 0.6 } } });
  const { outputs } = await (await server.app.request("/v2/models/animals")).json();
  assertEquals(outputs.at(-1), { name: "unknown", datatype: "BOOL", shape: [-1] });
  const known = tensor(1).map((value, i) => i < FAKE_SIZE ** 2 ? 8 * value : value);
  const data = [...new Float32Array(tensor(1).length), ...known];
  const { json } = await post(server, { inputs: [floatInput(2, data)] });
  const told = (name: string) => json.outputs.find((output: { name: string }) => output.name === name);
  assertEquals(told("unknown"), { name: "unknown", shape: [2], datatype: "BOOL", data: [true, false] });
  // The protocol has no null: the most probable class is named all the same.
  assertEquals(told("class").data.length, 2);
  const wanted = {
    inputs: [floatInput(2, data)],
    outputs: [{ name: "unknown", parameters: { binary_data: true } }],
  };
  const { rest } = await postBinary(server, wanted, []);
  assertEquals([...rest], [1, 0]);
  await using other = await setUp();
  const refused = await post(other, { inputs: [floatInput(1)], outputs: [{ name: "unknown" }] });
  assertEquals(refused.status, 400);
  assertMatch(refused.json.error, /known: logits, probabilities, class/);
});
