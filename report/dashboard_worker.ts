/** The thread of a dashboard: see `dashboard.ts`. */
import { basename, resolve } from "@std/path";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { DashboardAnswer, DashboardOrder } from "./dashboard.ts";
import script from "./dashboard.js" with { type: "text" };
import { readLog, readRunLog, type RunLog } from "./event_log.ts";
import { page, pageBody, type PageHead } from "./page.ts";
import { costSection, progressSection, repeatSection, runHead, validationSection } from "./run_sections.ts";
import type { Section } from "./markup.ts";

/** Between two drawings of the page. */
const REDRAW_MS = 1000;

/** So often a browser is told that the connection lives. */
const ALIVE_MS = 15_000;

const scope = self as unknown as {
  postMessage(answer: DashboardAnswer): void;
  onmessage: ((event: MessageEvent<DashboardOrder>) => void) | null;
};

let folder: string | undefined;
/** Counts what was told, so that what has not changed is not drawn again. */
let version = 0;
let drawn: { version: number; head: PageHead; sections: Section[] } | undefined;
let closing = false;
/** Wakes those who wait for news. */
let news = Promise.withResolvers<void>();
let watching = 0;

scope.onmessage = async ({ data }) => {
  switch (data.do) {
    case "listen":
      return listen(data.ports);
    case "show":
      folder = data.folder;
      return changed();
    case "refresh":
      return changed();
    case "close": {
      closing = true;
      changed();
      // Those who look are shown the end before the thread is gone.
      for (let waited = 0; watching > 0 && waited < 1500; waited += 50) {
        await new Promise((done) => setTimeout(done, 50));
      }
      scope.postMessage({ closed: true });
    }
  }
};

function changed(): void {
  version++;
  news.resolve();
  news = Promise.withResolvers<void>();
}

/** What the page shows now. */
async function draw() {
  if (drawn?.version === version) return drawn;
  const now = version;
  const log: RunLog = (folder !== undefined ? await readRunLog(folder) : undefined) ?? readLog("");
  const head = runHead(folder === undefined ? "A run" : basename(resolve(folder)), log, "live");
  const sections = [
    ...progressSection(log),
    ...validationSection(log),
    ...costSection(log),
    ...repeatSection(log),
  ];
  return drawn = { version: now, head: { ...head, eyebrow: "Live" }, sections };
}

const app = new Hono();

app.get("/", async (context) => {
  const { version, head, sections } = await draw();
  return context.html(page(head, sections, `live.js?shown=${version}`));
});

app.get("/live.js", (context) => {
  context.header("content-type", "text/javascript; charset=utf-8");
  return context.body(script);
});

app.get("/events", (context) =>
  streamSSE(context, async (stream) => {
    watching++;
    let left = false;
    stream.onAbort(() => void (left = true));
    try {
      let shown = Number(context.req.query("shown") ?? -1);
      while (!left) {
        const last = closing;
        if (shown !== version) {
          const { version: now, head, sections } = await draw();
          shown = now;
          await stream.writeSSE({ event: "report", data: `${pageBody(head, sections)}` });
          if (last) return void await stream.writeSSE({ event: "end", data: "" });
          await stream.sleep(REDRAW_MS);
          continue;
        }
        if (last) return void await stream.writeSSE({ event: "end", data: "" });
        const arrived = news.promise.then(() => true);
        const alive = await Promise.race([arrived, stream.sleep(ALIVE_MS).then(() => false)]);
        if (!alive) await stream.write(": alive\n\n");
      }
    } finally {
      watching--;
    }
  }));

function listen(ports: readonly number[]): void {
  for (const [n, port] of ports.entries()) {
    try {
      Deno.serve({
        hostname: "127.0.0.1",
        port,
        onListen: ({ hostname, port }) => scope.postMessage({ listening: `http://${hostname}:${port}/` }),
        onError: () => new Response("The page could not be drawn", { status: 500 }),
      }, app.fetch);
      return;
    } catch (error) {
      if (n < ports.length - 1 && error instanceof Deno.errors.AddrInUse) continue;
      const taken = error instanceof Deno.errors.AddrInUse;
      scope.postMessage({
        failed: taken ? `port ${port} is in use; name another, --dashboard=PORT` : (error as Error).message,
      });
      return;
    }
  }
}
