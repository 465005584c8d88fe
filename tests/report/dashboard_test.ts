import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../../engine/errors.ts";
import { Dashboard } from "../../report/dashboard.ts";
import { EventLogWriter } from "../../report/event_log.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { testNeeding } from "../permissions.ts";
import { endOf, epochOf, startOf, stepOf } from "./events.ts";

testNeeding("all")(
  "a browser that comes late is shown what a run told before, and then what it tells",
  async () => {
    const dir = await Deno.makeTempDir();
    using log = new EventLogWriter(dir);
    const dashboard = await Dashboard.start(0);
    const tell = (event: RunEvent) => {
      log.add(event, event.event === "start" ? { options: {} } : undefined);
      dashboard.add(event, dir);
    };
    try {
      for (const event of [startOf(dir), stepOf(10), epochOf(1, 20)]) tell(event);
      const answer = await fetch(dashboard.url), html = await answer.text();
      assertMatch(html, /Training: step 10 of 40/);
      const [, shown] = /<script type="module" src="live.js\?shown=(\d+)">/.exec(html)!;
      assertMatch(html, /script-src 'self'; connect-src 'self'/);
      const script = await fetch(new URL("live.js", dashboard.url));
      assertMatch(script.headers.get("content-type")!, /^text\/javascript/);
      assertStringIncludes(await script.text(), "new EventSource");

      const events = await fetch(new URL("events", dashboard.url));
      assertMatch(events.headers.get("content-type")!, /^text\/event-stream/);
      const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      const until = async (wanted: string) => {
        while (!text.includes(wanted)) {
          const { value, done } = await reader.read();
          assert(!done, `the stream ended without ${wanted}`);
          text += value;
        }
      };
      await until("Training: step 10 of 40");
      tell(stepOf(20));
      await until("Training: step 20 of 40");
      // Who has the page has what it showed: only news are sent.
      const later = await fetch(new URL(`events?shown=${Number(shown) + 1}`, dashboard.url));
      tell(stepOf(30));
      const news = later.body!.pipeThrough(new TextDecoderStream()).getReader();
      assertStringIncludes((await news.read()).value!, "Training: step 30 of 40");
      await news.cancel();
      await until("Training: step 30 of 40");
      tell(endOf(40));
      const closed = dashboard.close();
      await until("event: end");
      assertMatch(text, /event: report\ndata: [^]*Finished[^]*event: end/);
      await reader.cancel();
      await closed;
    } finally {
      dashboard[Symbol.dispose]();
      await Deno.remove(dir, { recursive: true });
    }
  },
);

testNeeding("all")("a dashboard whose port is taken says so", async () => {
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const { message } = await assertRejects(() => Dashboard.start(other.addr.port), UserError);
    assertEquals(
      message,
      `Cannot show a dashboard: port ${other.addr.port} is in use; name another, --dashboard=PORT`,
    );
  } finally {
    other.close();
  }
});
