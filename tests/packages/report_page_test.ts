/** Reports and dashboards in a real browser: on a desk and a phone, by day and by night, nothing clipped, nothing that breaks WCAG. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { classifierSections } from "../../report/classifier_report.ts";
import { comparisonSections } from "../../report/comparison.ts";
import { Dashboard } from "../../report/dashboard.ts";
import { EventLogWriter } from "../../report/event_log.ts";
import { page as pageOf } from "../../report/page.ts";
import { costSection, progressSection, repeatSection, runHead } from "../../report/run_sections.ts";
import { endOf, epochOf, startOf, stepOf } from "../report/events.ts";
import { logOf, reportOf } from "../report/samples.ts";
import { accessibilityProblems } from "./appearance.ts";
import { browserPath, startBrowser } from "./browser.ts";

function browserTest(name: string, work: (browser: Browser, dir: string) => Promise<void>) {
  Deno.test({
    name: `${name}${browserPath === undefined ? " (needs Chromium)" : ""}`,
    ignore: browserPath === undefined,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const browser = await startBrowser(), dir = await Deno.makeTempDir();
      try {
        await work(browser, dir);
      } finally {
        await browser.close();
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}

/** What lies over the page's right edge, or is cut off by its own box, where it cannot be scrolled to. */
const CLIPPED = `[...document.querySelectorAll("#report *")].filter((part) => {
  if (part.closest("svg svg, .scroll, .visually-hidden")) return false;
  const box = part.getBoundingClientRect();
  return box.right > innerWidth + 1 || box.left < -1 ||
    (part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX === "hidden");
}).map((part) => part.outerHTML.slice(0, 80))`;

/** Text that lies on other text. */
const OVERLAPPING = `(() => {
  const boxes = [...document.querySelectorAll("#report :is(h1, h2, h3, p, dt, dd, figcaption, summary, pre, svg[role=img])")]
    .filter((part) => !part.closest(".scroll")).map((part) => ({ part, box: part.getBoundingClientRect() }));
  return boxes.flatMap(({ part, box }, i) => boxes.slice(i + 1).filter((other) => !part.contains(other.part) &&
    box.left < other.box.right - 1 && other.box.left < box.right - 1 &&
    box.top < other.box.bottom - 1 && other.box.top < box.bottom - 1).map((other) => part.outerHTML.slice(0, 60) + " on " +
    other.part.outerHTML.slice(0, 60)));
})()`;

/** Looks at a page on a desk by day and on a phone by night: widths decide where things lie, lights how they can be told apart. */
async function requireGoodLook(browser: Browser, url: string, name: string): Promise<void> {
  for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    await page.goto(url);
    await page.evaluate(`document.querySelectorAll("details").forEach((part) => part.open = true)`);
    assertEquals(await page.evaluate("document.documentElement.scrollWidth"), width, `${name} ${width}`);
    assertEquals(await page.evaluate(CLIPPED), [], `${name} ${width}`);
    assertEquals(await page.evaluate(OVERLAPPING), [], `${name} ${width}`);
    assertEquals(await accessibilityProblems(page), [], `${name} ${colorScheme}`);
    await page.close();
  }
}

browserTest(
  "a report and a comparison look right on a desk and a phone",
  async (browser, dir) => {
    const log = logOf(2000, { lr: 0.1, model: "compact" }, [
      "--data",
      "photos of a very long name".repeat(4),
    ]);
    const report = await reportOf(60, 7, 40);
    const sections = [
      ...progressSection(log),
      ...classifierSections(report),
      ...costSection(log),
      ...repeatSection(log),
    ];
    const pages = {
      report: pageOf(
        runHead("a-run-with-a-name-that-is-longer-than-a-phone-is-wide-2026", log, "ended"),
        sections,
      ),
      comparison: pageOf(
        { title: "Runs compared", about: "Nine runs" },
        comparisonSections(
          Array.from({ length: 9 }, (_, k) => ({ name: `run ${k}`, log: logOf(600 + 100 * k, { lr: k }) })),
        ),
      ),
    };
    for (const [name, html] of Object.entries(pages)) {
      const path = join(dir, `${name}.html`);
      await Deno.writeTextFile(path, html);
      await requireGoodLook(browser, pathToFileURL(path).href, name);
    }
  },
);

browserTest(
  "a dashboard looks right, and follows a run without losing what is unfolded",
  async (browser, dir) => {
    using log = new EventLogWriter(dir);
    const dashboard = await Dashboard.start(0);
    const tell = (...[event]: Parameters<EventLogWriter["add"]>) => {
      log.add(event, event.event === "start" ? { options: { lr: 0.1 } } : undefined);
      dashboard.add(event, dir);
    };
    try {
      for (const event of [startOf(dir), stepOf(10), stepOf(20), epochOf(1, 20)]) tell(event);
      await requireGoodLook(browser, dashboard.url, "dashboard");
      const page = await browser.newPage(), errors: string[] = [];
      page.on("pageerror", ({ message }) => errors.push(message));
      await page.goto(dashboard.url);
      await page.locator("summary").first().click();
      await page.locator("details[open]").first().waitFor();
      tell(stepOf(30));
      await pill(page, "Training: step 30 of 40");
      assertEquals(await page.locator("details[open]").count(), 1);
      assertEquals(await page.locator("section").count(), 4);
      tell(endOf(40));
      await Promise.all([pill(page, "Finished"), dashboard.close()]);
      assertEquals(errors, []);
    } finally {
      dashboard[Symbol.dispose]();
    }
  },
);

/** Waits until the page says that. */
async function pill(page: Page, text: string): Promise<void> {
  await page.locator(".pill", { hasText: text }).waitFor({ timeout: 10_000 });
}
