import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { browserPath, startBrowser } from "./browser.ts";
import { encodePhoto, serveFake } from "../server/fixture.ts";

const PHOTO = await encodePhoto([200, 10, 10]);
const EVIL = "evil.example";

/** A request that a page sent, and what its browser was answered. */
interface Attempt {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** What there is to reach: every route of the description, with the model that is served, and the page's own files. */
async function routesOf(server: Awaited<ReturnType<typeof serveFake>>) {
  const { paths } = JSON.parse((await server.ask("/openapi.json")).text) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const { version } = server.models.resolve().identity;
  const routes = Object.entries(paths).map(([path, methods]) => ({
    path: path.replace("{model}", "animals").replace("{version}", version),
    methods: Object.keys(methods).map((method) => method.toUpperCase()),
  }));
  // What takes the model away comes last, so that the others meet a model.
  routes.sort((a, b) => Number(/(un)?load$/.test(a.path)) - Number(/(un)?load$/.test(b.path)));
  return [...routes, { path: "/", methods: ["GET"] }, { path: "/openapi.json", methods: ["GET"] }];
}

/** Adds to the list, while the page lives, what it sends to `origin`. */
async function watchRequests(page: Page, origin: string): Promise<Attempt[]> {
  const attempts: Attempt[] = [];
  const sent = new Map<string, { method: string; path: string }>();
  // Answers that the browser keeps from the page count, too, and only this tells of them.
  const session = await page.context().newCDPSession(page);
  session.on("Network.requestWillBeSent", ({ requestId, request: { method, url } }) => {
    const { origin: to, pathname: path } = new URL(url);
    if (to === origin) sent.set(requestId, { method, path });
  });
  session.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode: status }) => {
    const request = sent.get(requestId);
    if (request !== undefined) attempts.push({ ...request, status });
  });
  await session.send("Network.enable");
  return attempts;
}

/** Tries everything in the page, someone else's, against the server at `origin`, and tells what came of it. */
async function tryEverything(
  page: Page,
  origin: string,
  routes: Awaited<ReturnType<typeof routesOf>>,
): Promise<{ attempts: Attempt[]; socketsOpened: string[] }> {
  const attempts = await watchRequests(page, origin);
  const photo = `new Uint8Array([${PHOTO}])`;
  const socketsOpened = await page.evaluate<string[]>(`(async () => {
    const origin = ${JSON.stringify(origin)}, routes = ${JSON.stringify(routes)};
    const photo = ${photo};
    const ask = (path, init) => fetch(origin + path, init).then((answer) => answer.text()).catch(() => {});
    const loaded = (element, attribute, path) => new Promise((resolve) => {
      element.onload = element.onerror = resolve;
      element[attribute] = origin + path;
      document.body.append(element);
    });
    const submit = (path, type, value) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.name = "f" + Math.random();
      const form = document.createElement("form");
      Object.assign(form, { action: origin + path, method: "post", enctype: type, target: frame.name });
      const field = document.createElement("input");
      Object.assign(field, { name: "image", type: "file" });
      const transfer = new DataTransfer();
      transfer.items.add(new File([value], "photo.png"));
      field.files = transfer.files;
      form.append(field);
      document.body.append(frame, form);
      setTimeout(resolve, 300); // a frame that may not be shown says nothing
      frame.onload = resolve;
      form.submit();
    });
    // A page without an origin of its own: it says "null".
    const sandboxed = (path, method) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.sandbox = "allow-scripts";
      const request = JSON.stringify({ method, mode: "no-cors", body: "" });
      frame.srcdoc = "<script>fetch(" + JSON.stringify(origin + path) + ", " + request +
        ").finally(() => parent.postMessage('done', '*'))<" + "/script>";
      addEventListener("message", resolve, { once: true });
      document.body.append(frame);
    });
    const socket = (path) => new Promise((resolve) => {
      const one = new WebSocket(origin.replace("http", "ws") + path);
      one.onopen = () => { one.close(); resolve(true); };
      one.onerror = () => resolve(false);
    });
    const opened = [];
    for (const { path, methods } of routes) {
      for (const method of methods) {
        if (method === "GET") {
          await ask(path, { mode: "no-cors" });
          await ask(path);
          continue;
        }
        for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
          await submit(path, type, photo);
        }
        // Simple: the browser sends it without asking first, and only keeps the answer from the page.
        await ask(path, { method, mode: "no-cors", body: "" });
        await ask(path, { method, mode: "no-cors", body: photo });
        await ask(path, { method, mode: "no-cors", body: '{"parameters":{}}', keepalive: true });
        await sandboxed(path, method);
        navigator.sendBeacon(origin + path, "{}");
        // With a preflight: sent only where the server allows it.
        await ask(path, { method, headers: { "content-type": "application/json" }, body: "{}" });
        await ask(path, { method, headers: { "x-http-method-override": method }, body: photo });
      }
      await ask(path, { method: "DELETE" });
      await loaded(document.createElement("img"), "src", path);
      await loaded(document.createElement("script"), "src", path);
      // The browser makes a page wait longer after each socket that failed: only where something could be done.
      if (methods.includes("POST") && await socket(path)) opened.push(path);
    }
    return opened;
  })()`);
  await page.waitForTimeout(200); // events of what ended last
  return { attempts, socketsOpened };
}

/** A test with a server and a page that is not its own: `open` shows it and gives the origin that it aims at. */
function foreignTest(
  name: string,
  { args = [], open }: {
    args?: readonly string[];
    open: (page: Page, server: URL) => Promise<string>;
  },
  check: (found: Awaited<ReturnType<typeof tryEverything>>) => void,
) {
  Deno.test({
    name,
    ignore: browserPath === undefined,
    // The browser's driver keeps timers and pipes of its own.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using server = await serveFake();
      const browser = await startBrowser(args);
      try {
        const before = await stateOf(server);
        const page = await browser.newPage();
        const origin = await open(page, server.url);
        const found = await tryEverything(page, origin, await routesOf(server));
        assertEquals(await stateOf(server), before, "the page changed the server's state");
        check(found);
      } finally {
        await browser.close();
      }
    },
  });
}

/** What a page must not change: models, which of them is the default, when they were loaded, how they answer. */
async function stateOf(server: Awaited<ReturnType<typeof serveFake>>) {
  const health = await server.ask("/health");
  const { models } = JSON.parse(health.text);
  const card = JSON.parse((await server.ask("/model")).text);
  const answer = await server.ask("/predict", { method: "POST", body: PHOTO });
  return {
    health: health.status,
    models,
    card: [card.name, card.version, card.loadedAt],
    answer: [answer.status, JSON.parse(answer.text).class],
  };
}

/** Methods that may change something. */
const posts = (attempts: readonly Attempt[]) =>
  attempts.filter(({ method }) => !["GET", "HEAD", "OPTIONS"].includes(method));

/** Someone else's page, on a port of its own. */
function servePage(): { origin: string } & AsyncDisposable {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("<!doctype html><title>evil</title>", { headers: { "content-type": "text/html" } }),
  );
  return {
    origin: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

foreignTest(
  "a page on another origin changes nothing, and what it sends to routes that do something is refused with 403",
  {
    open: async (page, server) => {
      await using evil = servePage();
      await page.goto(evil.origin);
      return server.origin;
    },
  },
  ({ attempts, socketsOpened }) => {
    const sent = posts(attempts);
    assert(sent.some(({ path }) => path === "/predict") && sent.some(({ path }) => path.endsWith("/unload")));
    assertEquals(sent.filter(({ status }) => status !== 403), []);
    assertEquals(socketsOpened, []);
  },
);

foreignTest(
  "a page whose name was bound to the server's address changes nothing, and is refused whatever is not only read",
  {
    args: [
      `--host-resolver-rules=MAP ${EVIL} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
      // What this browser does against it on its own; others do not.
      "--disable-features=LocalNetworkAccessChecks",
    ],
    open: async (page, server) => {
      const origin = `http://${EVIL}:${server.port}`;
      // What the name's owner served before the name meant this machine.
      await page.route(
        `${origin}/evil`,
        (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html><title>evil</title>" }),
      );
      await page.goto(`${origin}/evil`);
      return origin;
    },
  },
  ({ attempts, socketsOpened }) => {
    const sent = posts(attempts);
    assert(sent.some(({ path, status }) => path === "/predict" && status === 421));
    // 403: a sandboxed frame of that page, whose origin is "null".
    assertEquals(sent.filter(({ status }) => status !== 421 && status !== 403), []);
    assertEquals(socketsOpened, []);
  },
);

Deno.test({
  name: "a page on an origin that the server allows may send photos and read the answers",
  ignore: browserPath === undefined,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using friend = servePage();
    await using server = await serveFake({ cors: [friend.origin] });
    const browser = await startBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(friend.origin);
      const answer = await page.evaluate<[number, string]>(`(async () => {
        const answer = await fetch("${server.url.href}predict", {
          method: "POST",
          headers: { "content-type": "image/png" },
          body: new Uint8Array([${PHOTO}]),
        });
        return [answer.status, (await answer.json()).class];
      })()`);
      assertEquals(answer, [200, "red"]);
    } finally {
      await browser.close();
    }
  },
});
