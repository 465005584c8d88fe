import { assert, assertAlmostEquals, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodePhoto, formOf, setUp } from "../fixture.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const RED = await encodePhoto([200, 10, 10]);
interface Told {
  readonly class: string;
  readonly probability: number;
}

const green = () => encodePhoto([10, 200, 10], { format: "jpeg" });

test("a raw body is classified whatever content type it claims", async () => {
  await using server = await setUp();
  for (
    const type of [
      "image/png",
      "image/jpeg",
      "application/octet-stream",
      "application/x-www-form-urlencoded",
      "",
    ]
  ) {
    const response = await server.app.request("/predict", {
      method: "POST",
      body: RED,
      headers: type === "" ? {} : { "content-type": type },
    });
    assertEquals(response.status, 200, type);
    const answer = await response.json();
    assertEquals(answer.class, "red");
    const [best, ...others] = answer.probabilities;
    assertEquals(best, { class: "red", probability: answer.probability });
    const sum = others.reduce((a: number, b: Told) => a + b.probability, best.probability);
    assertAlmostEquals(sum, 1, 1e-5);
    assertEquals([answer.model, answer.version], ["animals", server.models.resolve().identity.version]);
    assertEquals(Object.keys(answer.milliseconds), ["decode", "queue", "compute", "total"]);
    for (const value of Object.values(answer.milliseconds)) assert(typeof value === "number" && value >= 0);
  }
});

test("one photo in a form is answered alone, several in their order, in one pass", async () => {
  await using server = await setUp({ maxDelayMs: 10_000 });
  const one = await server.app.request("/predict", { method: "POST", body: formOf(["a.png", RED]) });
  const answer = await one.json();
  assertEquals([answer.class, answer.file], ["red", "a.png"]);
  const photos = [["g.jpg", await green()], ["r.png", RED], ["g2.jpg", await green()]] as const;
  const several = await server.app.request("/predict", { method: "POST", body: formOf(...photos) });
  const { predictions } = await several.json();
  assertEquals(predictions.map((p: { class: string; file: string }) => [p.class, p.file]), [
    ["green", "g.jpg"],
    ["red", "r.png"],
    ["green", "g2.jpg"],
  ]);
  assertEquals(server.classifiers[0]!.batches.slice(-1), [3]);
});

test("topk limits the probabilities to the largest", async () => {
  await using server = await setUp();
  const response = await server.app.request("/predict?topk=2", { method: "POST", body: RED });
  const { probabilities } = await response.json();
  assertEquals(probabilities.length, 2);
  assertEquals(probabilities[0].class, "red");
});

test("a model that can tell answers null for a photo of no class it knows, unless it is asked to name one", async () => {
  await using server = await setUp({ checkpoints: { animals: { knownFrom: 0.5 } } });
  const ask = async (photo: Uint8Array<ArrayBuffer>, query = "") =>
    await (await server.app.request(`/predict${query}`, { method: "POST", body: photo })).json();
  const grey = await encodePhoto([51, 50, 50]);
  const { class: name, unknown, probability, probabilities } = await ask(grey);
  assertEquals([name, unknown], [null, true]);
  assertEquals(probabilities[0], { class: "red", probability });
  const named = await ask(grey, "?unknown=false");
  assertEquals([named.class, "unknown" in named, named.probability], ["red", false, probability]);
  const red = await ask(RED);
  assertEquals([red.class, red.unknown], ["red", false]);
  await using other = await setUp();
  const without = await (await other.app.request("/predict", { method: "POST", body: grey })).json();
  assertEquals([without.class, "unknown" in without], ["red", false]);
});

test("classes whose names are numbers or hold a comma are told in the order of their probabilities", async () => {
  const classes = ["10", "2, 3", "1"]; // as an object's keys they would come as 1, 2, 10
  await using server = await setUp({ checkpoints: { digits: { classes } } });
  const names = async (path: string, photo: Uint8Array<ArrayBuffer>) => {
    const response = await server.app.request(path, { method: "POST", body: photo });
    const { class: best, probabilities } = await response.json();
    assertEquals(best, probabilities[0].class);
    return probabilities.map((told: Told) => told.class);
  };
  assertEquals(await names("/predict", await encodePhoto([90, 200, 10])), ["2, 3", "10", "1"]);
  assertEquals(await names("/predict?topk=1", await encodePhoto([200, 90, 10])), ["10"]);
  assertEquals(await names("/predict", await encodePhoto([50, 50, 50])), classes); // equally probable
});

test("explain adds an overlay in the photo's aspect ratio, hottest where the map is", async () => {
  await using server = await setUp();
  const photo = await encodePhoto([200, 10, 10], { width: 64, height: 32 });
  const response = await server.app.request("/predict?explain=true", { method: "POST", body: photo });
  const { overlay } = await response.json();
  assertMatch(overlay, /^data:image\/png;base64,/);
  const { Image } = await import("imagescript");
  const picture = await Image.decode(Uint8Array.fromBase64(overlay.split(",")[1]));
  assertEquals([picture.width, picture.height], [240, 120]);
  const alpha = (x: number, y: number) => picture.getPixelAt(x, y) & 255;
  assert(alpha(240, 120) > alpha(1, 120) && alpha(1, 120) > alpha(1, 1));
  const plain = await server.app.request("/predict", { method: "POST", body: photo });
  assertEquals("overlay" in await plain.json(), false);
});

test("a model and its version can be chosen, and each answers for itself", async () => {
  await using server = await setUp({
    checkpoints: { animals: [{}, { bias: 100 }], other: { classes: ["x", "y", "z"] } },
  });
  const ask = async (query: string) => {
    const response = await server.app.request(`/predict${query}`, { method: "POST", body: await green() });
    return { status: response.status, ...await response.json() };
  };
  const versions = server.models.models.map((model) => model.identity.version);
  assertEquals((await ask("")).class, "red", "the version given last is the default");
  assertEquals((await ask(`?version=${versions[0]}`)).class, "green");
  assertEquals((await ask(`?model=animals&version=${versions[1]}`)).class, "red");
  assertEquals((await ask("?model=other")).class, "y");
  assertEquals((await ask("?model=none")).status, 404);
  const unknown = await ask("?version=7");
  assertEquals(unknown.status, 404);
  assertStringIncludes(unknown.error, versions[0]!);
});

const bad: readonly [
  name: string,
  status: number,
  body: BodyInit | null,
  headers?: Record<string, string>,
  path?: string,
][] = [
  ["no body", 400, null],
  ["an empty body", 400, new Uint8Array(0)],
  ["text", 415, "hello, world"],
  ["a URL-encoded form", 415, "image=abc", { "content-type": "application/x-www-form-urlencoded" }],
  ["JSON", 415, "{}", { "content-type": "application/json" }],
  ["a truncated PNG", 400, RED.slice(0, 60)],
  ["a PNG's first bytes", 400, RED.slice(0, 8)],
  ["a form without a boundary", 400, "x", { "content-type": "multipart/form-data" }],
  [
    "a form that is cut off",
    400,
    '--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
    {
      "content-type": "multipart/form-data; boundary=b",
    },
  ],
  ["a form that does not begin with its boundary", 400, "x", {
    "content-type": "multipart/form-data; boundary=b",
  }],
  ["a form whose boundary goes on", 400, "--bc\r\n\r\n\r\n--b--", {
    "content-type": "multipart/form-data; boundary=b",
  }],
  [
    "a form with a header that does not end",
    400,
    `--b\r\n${"a".repeat(5000)}\r\n\r\n\r\n--b--`,
    { "content-type": "multipart/form-data; boundary=b" },
  ],
  [
    "a form with a name that is not UTF-8",
    400,
    new Uint8Array([
      ...new TextEncoder().encode("--b\r\nContent-Disposition: form-data; name="),
      0xff,
      13,
      10,
      13,
      10,
      13,
      10,
      45,
      45,
      98,
      45,
      45,
    ]),
    { "content-type": "multipart/form-data; boundary=b" },
  ],
  ["an encoding that is not known", 415, RED, { "content-encoding": "br" }],
  ["an encoding that is not true", 400, RED, { "content-encoding": "gzip" }],
  ["a top-k of zero", 400, RED, {}, "/predict?topk=0"],
  ["a top-k that is no number", 400, RED, {}, "/predict?topk=many"],
  ["an explain that is neither true nor false", 400, RED, {}, "/predict?explain=maybe"],
];

for (const [name, status, body, headers, path = "/predict"] of bad) {
  test(`${name} is refused with ${status} and a sentence`, async () => {
    await using server = await setUp();
    const response = await server.app.request(path, { method: "POST", body, headers: headers ?? {} });
    const answer = await response.json();
    assertEquals(response.status, status, answer.error);
    assertEquals(Object.keys(answer), ["error"]);
    assertMatch(answer.error, /^Cannot /);
  });
}

test("a form may call its photos as other servers do, and text beside them is passed over", async () => {
  await using server = await setUp();
  const form = new FormData();
  for (const field of ["file", "files", "image", "images", "photo", "photos"]) {
    form.append(field, new File([RED], `${field}.png`));
    if (field !== "image") form.append(field, "text");
  }
  const response = await server.app.request("/predict", { method: "POST", body: form });
  assertEquals(response.status, 200);
  const { predictions } = await response.json();
  assertEquals(predictions.map(({ file }: { file: string }) => file), [
    ...["file.png", "files.png", "image.png", "images.png", "photo.png", "photos.png"],
  ]);
});

test("a form without the field, with text in it, or with an empty file says so", async () => {
  await using server = await setUp();
  const send = async (form: FormData) => {
    const response = await server.app.request("/predict", { method: "POST", body: form });
    return [response.status, (await response.json()).error] as const;
  };
  const wrong = new FormData();
  wrong.append("picture", new File([RED], "a.png"));
  assertEquals(await send(wrong), [
    400,
    'Cannot find a photo in the form: it has "picture", expected a file in "image"',
  ]);
  const text = new FormData();
  text.append("image", "text");
  assertEquals((await send(text))[0], 400);
  const forgotten = new FormData(); // curl -F file=photo.jpg, without the @
  forgotten.append("file", "photo.jpg");
  assertEquals(await send(forgotten), [400, 'Cannot read the form: "file" holds text, expected a file']);
  assertEquals((await send(formOf(["empty.png", new Uint8Array(0)])))[0], 400);
});

for (
  const [written, name] of [
    ['filename="a=b.jpg"', "a=b.jpg"],
    ['filename="a;b, c.jpg"', "a;b, c.jpg"],
    ['filename="an \\"odd\\" one.jpg"', 'an "odd" one.jpg'],
    ['filename="köter.jpg"', "köter.jpg"],
    ["filename=plain=1.jpg", "plain=1.jpg"],
    ['filename="a\u2028b.jpg"', "a\u2028b.jpg"], // ends a line elsewhere
    ["filename=\"k.jpg\"; filename*=UTF-8''%E9%B3%A5%20%3D.jpg", "鳥 =.jpg"],
    ['filename=""', ""],
  ] as const
) {
  test(`a file that a form calls ${written} keeps its whole name`, async () => {
    await using server = await setUp();
    const body = new Blob([
      `--b\r\nContent-Disposition: form-data; name="image"; ${written}\r\nContent-Type: image/png\r\n\r\n`,
      RED,
      "\r\n--b--\r\n",
    ]);
    const response = await server.app.request("/predict", {
      method: "POST",
      body: await body.bytes(),
      headers: { "content-type": "multipart/form-data; boundary=b" },
    });
    const answer = await response.json();
    assertEquals(answer.file, name, answer.error);
  });
}

for (const size of [5_000, 40_000]) {
  test(`a form of ${size} parts is refused by their number`, async () => {
    await using server = await setUp();
    const part = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n';
    const response = await server.app.request("/predict", {
      method: "POST",
      body: part.repeat(size) + "--b--\r\n",
      headers: { "content-type": "multipart/form-data; boundary=b" },
    });
    assertEquals([response.status, (await response.json()).error], [
      413,
      "Cannot read the multipart form: it has more than 512 parts",
    ]);
  });
}

test("what looks like a boundary within a photo is part of it, and other fields may be empty", async () => {
  await using server = await setUp();
  const line = "\r\n--boundar\r\n-\r\r\n--boundarx";
  const fields = `--boundary\r\nContent-Disposition: form-data; name="x"\r\n\r\n--boundary\r\n` +
    `content-disposition: form-data; name="image"; filename="a"\r\n\r\n`;
  const answers = [];
  for (const photo of [[RED, line], [RED]]) {
    const response = await server.app.request("/predict", {
      method: "POST",
      body: await new Blob([fields, ...photo, "\r\n--boundary--"]).bytes(),
      headers: { "content-type": 'multipart/form-data; charset=utf-8; boundary="boundary"' },
    });
    answers.push((await response.json()).class);
  }
  assertEquals(answers, ["red", "red"]);
});

test("a boundary that no form may have is refused", async () => {
  await using server = await setUp();
  for (const boundary of ["x".repeat(71), '""', ""]) {
    const response = await server.app.request("/predict", {
      method: "POST",
      body: new Uint8Array(1000),
      headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    });
    assertEquals(response.status, 400);
    assertMatch((await response.json()).error, /^Cannot read the multipart form: its type has no boundary/);
  }
});

test("of several photos the one that cannot be decoded is named", async () => {
  await using server = await setUp();
  const body = formOf(["a.png", RED], ["b.png", RED.slice(0, 60)]);
  const response = await server.app.request("/predict", { method: "POST", body });
  assertEquals(response.status, 400);
  assertStringIncludes((await response.json()).error, 'Photo 2 ("b.png")');
  assertEquals(server.models.resolve().batcher.load, 0);
});

test("a compressed body is decompressed", async () => {
  await using server = await setUp();
  const stream = new Blob([RED]).stream().pipeThrough(new CompressionStream("gzip"));
  const body = await new Response(stream).bytes();
  const headers = { "content-encoding": "gzip" };
  const response = await server.app.request("/predict", { method: "POST", body, headers });
  assertEquals((await response.json()).class, "red");
});

test("a large form is read in the thread beside, to the same result", async () => {
  await using server = await setUp();
  const noise = new Uint8Array(1_500_000);
  const form = formOf(["a.png", RED]);
  form.append("ignored", new File([noise], "noise"));
  const response = await server.app.request("/predict", { method: "POST", body: form });
  assertEquals((await response.json()).class, "red");
});
