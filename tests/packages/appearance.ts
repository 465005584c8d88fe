/**
 * How a page looks and reads, to machines and to people.
 * @module
 */
import axe from "axe-core";
import type { Page } from "playwright-core";

const ARTEFACTS = new URL("../../.cache/screenshots/", import.meta.url);

/** What breaks rules of WCAG 2.2 A and AA that a machine can check. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  // As text, since the page's types are not this program's.
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()");
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

/** Keeps a picture of the whole page for people to look at. */
export async function keepScreenshot(page: Page, name: string): Promise<void> {
  await Deno.mkdir(ARTEFACTS, { recursive: true });
  await page.waitForTimeout(600); // the bars have grown
  await page.screenshot({ path: new URL(`${name}.png`, ARTEFACTS).pathname, fullPage: true });
}
