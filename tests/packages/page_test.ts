import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { accessibilityProblems, keepScreenshot } from "./appearance.ts";
import { browserPath, startBrowser } from "./browser.ts";
import { encodePhoto, type PortOptions, serveFake, until } from "../server/fixture.ts";

const PHOTO = await encodePhoto([200, 10, 10], { width: 320, height: 200, format: "jpeg" });
const FILE = { name: "photo.jpg", mimeType: "image/jpeg", buffer: Buffer.from(PHOTO) };
const DESKTOP = { width: 1280, height: 900 }, PHONE = { width: 390, height: 844 };

interface Visit {
  readonly page: Page;
  readonly server: Awaited<ReturnType<typeof serveFake>>;
  /** Errors in the console, failed requests and requests to anywhere else. */
  readonly complaints: string[];
}

/** A test in a browser; it fails when the page logs an error or asks anyone but the server for anything. */
function pageTest(
  name: string,
  { viewport = DESKTOP, options = {} }: { viewport?: typeof DESKTOP; options?: PortOptions },
  test: (visit: Visit) => Promise<void>,
) {
  Deno.test({
    name,
    ignore: browserPath === undefined,
    // The browser's driver keeps timers and pipes of its own.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using server = await serveFake({ ...options });
      const browser = await startBrowser();
      try {
        const page = await browser.newPage({ viewport, permissions: ["camera"] });
        const complaints: string[] = [];
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        page.on("pageerror", (error) => complaints.push(error.message));
        page.on("request", (request) => {
          const url = new URL(request.url());
          const local = url.origin === server.url.origin || ["blob:", "data:"].includes(url.protocol);
          if (!local) complaints.push(`asked for ${url}`);
        });
        await page.goto(server.url.href);
        await test({ page, server, complaints });
        assertEquals(complaints, []);
      } finally {
        await browser.close();
      }
    },
  });
}

const answered = (page: Page) => page.waitForSelector("#answer:not([hidden])");
const text = async (page: Page, selector: string) => (await page.textContent(selector))?.trim();

/** Evaluates an expression in the page; as text, since the page's types are not this program's. */
const inPage = <T>(page: Page, expression: string) => page.evaluate<T>(expression);
const overlayOpacity = (page: Page) =>
  inPage<string>(page, 'getComputedStyle(document.querySelector("#overlay")).opacity');

pageTest(
  "a photo that is chosen is shown with bars, overlay, times and the model's card",
  {},
  async ({ page }) => {
    await page.setInputFiles("#file", FILE);
    await answered(page);
    assertEquals(await text(page, "#verdict-class"), "red");
    assertMatch((await text(page, "#verdict-probability"))!, /^\d+\.\d %$/);
    assertEquals(await page.locator("#bars li").count(), 3);
    assertEquals(await page.locator("#legend dt").allTextContents().then((all) => all.slice(0, 5)), [
      "Transfer",
      "Decode",
      "Queue",
      "Compute",
      "Overlay",
    ]);
    assertEquals(await text(page, "#status"), "Ready");
    assertEquals(await page.locator("#confusion tbody td").allTextContents(), [
      "8",
      "1",
      "1",
      "0",
      "9",
      "1",
      "1",
      "0",
      "9",
    ]);
    assertMatch((await text(page, "#facts"))!, /90\.0 % in validation/);
    assertMatch((await text(page, "#announcement"))!, /^red, /);
    await until(() => inPage(page, 'document.querySelector("#overlay").naturalWidth === 240'));
    assertEquals(await inPage(page, 'document.querySelector("#overlay").naturalHeight'), 150);
    await keepScreenshot(page, "desktop");
  },
);

pageTest(
  "classes whose names are numbers are shown most probable first",
  { options: { checkpoint: { classes: ["10", "2", "1"] } } },
  async ({ page }) => {
    await page.setInputFiles("#file", FILE);
    await answered(page);
    assertEquals(await text(page, "#verdict-class"), "10");
    assertEquals((await page.locator("#bars .name").allTextContents())[0], "10");
    const shares = await page.locator("#bars .number").allTextContents();
    const values = shares.map((share) => parseFloat(share.replace("< ", "")));
    assertEquals(values, values.toSorted((a, b) => b - a));
  },
);

pageTest(
  "a file that the server does not take is answered by a sentence, and not sent",
  {},
  async ({ page }) => {
    const sent: string[] = [];
    page.on("request", (request) => request.url().includes("/predict") && sent.push(request.url()));
    const choose = (name: string, start: string) =>
      page.setInputFiles("#file", { name, mimeType: "image/jpeg", buffer: Buffer.from(start, "latin1") });
    await page.setInputFiles("#file", FILE);
    await answered(page);
    assertEquals(sent.length, 1);
    await choose("IMG_1.JXL", "\xff\x0a\0\0");
    await page.waitForSelector("#problem:not([hidden])");
    assertEquals(
      await text(page, "#problem"),
      "IMG_1.JXL is a JPEG XL photo: the server takes JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC, so save or export it as one of these.",
    );
    assertEquals(await page.isVisible("#photo"), false);
    await choose("notes.jpg", "no photo");
    await until(async () =>
      (await text(page, "#problem"))!.startsWith("notes.jpg is no photo that can be read")
    );
    assertEquals(sent.length, 1);
    await page.setInputFiles("#file", FILE);
    await answered(page);
    assertEquals([sent.length, await page.isVisible("#photo")], [2, true]);
  },
);

pageTest("the overlay's slider works from the keyboard", {}, async ({ page }) => {
  await page.setInputFiles("#file", FILE);
  await answered(page);
  await page.focus("#opacity");
  await page.keyboard.press("Home");
  assertEquals(await overlayOpacity(page), "0");
  await page.keyboard.press("End");
  assertEquals(await overlayOpacity(page), "1");
  assertEquals(await text(page, "#opacity-value"), "100 %");
});

pageTest(
  "everything can be reached with the Tab key, and choosing a file needs no mouse",
  {},
  async ({ page }) => {
    // Asked for before anything else: the browser is told to report choosers only then, and takes a moment.
    const chooser = page.waitForEvent("filechooser");
    const reached: string[] = [];
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press("Tab");
      reached.push(
        await inPage<string>(page, "document.activeElement.id || document.activeElement.textContent.trim()"),
      );
    }
    for (const id of ["Skip to the photo", "API", "file", "choose", "open-camera"]) {
      assert(reached.includes(id), `${id} is not among ${reached.join(", ")}`);
    }
    await page.focus("#choose");
    await page.keyboard.press("Enter");
    await (await chooser).setFiles(FILE);
    await answered(page);
  },
);

for (const how of ["paste", "drop"] as const) {
  pageTest(`a photo can come by ${how}`, {}, async ({ page }) => {
    await page.waitForSelector("#card:not([hidden])");
    await inPage(
      page,
      `{
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array([${PHOTO}])], "photo.jpg", { type: "image/jpeg" }));
        document.querySelector("#frame").dispatchEvent(
          "${how}" === "paste"
            ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
            : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
        );
      }`,
    );
    await answered(page);
    assertEquals(await text(page, "#verdict-class"), "red");
  });
}

pageTest("a photo can come from the camera, and the camera is off afterwards", {}, async ({ page }) => {
  await page.click("#open-camera");
  await until(() => inPage(page, 'document.querySelector("#video").videoWidth > 0'));
  await page.click("#shoot");
  await answered(page);
  assertEquals(
    await inPage(page, 'document.querySelector("#video").srcObject'),
    null,
  );
});

pageTest("a file that is no photo is told in words, and the next photo is answered", {}, async (visit) => {
  const { page, complaints } = visit;
  await page.setInputFiles("#file", { name: "a.txt", mimeType: "image/png", buffer: Buffer.from("hello") });
  await page.waitForSelector("#problem:not([hidden])");
  assertMatch((await text(page, "#problem"))!, /^a\.txt is no photo that can be read/);
  // What looks like one is the server's to judge.
  const broken = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1]);
  await page.setInputFiles("#file", { name: "b.jpg", mimeType: "image/jpeg", buffer: Buffer.from(broken) });
  await until(async () => /^Cannot decode the image/.test((await text(page, "#problem"))!));
  await page.setInputFiles("#file", FILE);
  await answered(page);
  assertEquals(await page.isVisible("#problem"), false);
  // The browser itself logs every answer that is a failure.
  assertEquals(complaints.splice(0).filter((line) => !/\b4(00|15)\b/.test(line)), []);
});

pageTest(
  "a server that asks for a token gets it once, and then answers",
  { options: { token: "s3cret" } },
  async (visit) => {
    const { page, complaints } = visit;
    await page.waitForSelector("#token-dialog[open]");
    await page.fill("#token", "s3cret");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#card:not([hidden])");
    await page.setInputFiles("#file", FILE);
    await answered(page);
    assertEquals(complaints.splice(0).filter((line) => !line.includes("401")), []);
  },
);

pageTest("a server that is not there any more is said to be", {}, async ({ page, server, complaints }) => {
  await page.waitForSelector("#card:not([hidden])");
  await server.close();
  await page.setInputFiles("#file", FILE);
  await page.waitForSelector("#problem:not([hidden])");
  assertEquals(await text(page, "#problem"), "The server cannot be reached.");
  complaints.splice(0);
});

pageTest("on a phone nothing is wider than the screen", { viewport: PHONE }, async ({ page }) => {
  await page.setInputFiles("#file", FILE);
  await answered(page);
  assertEquals(await inPage<number>(page, "document.documentElement.scrollWidth"), PHONE.width);
  await keepScreenshot(page, "phone");
});

for (const scheme of ["light", "dark"] as const) {
  pageTest(
    `the page has no accessibility problem that a machine can find, in ${scheme} colours`,
    {},
    async ({ page }) => {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.waitForSelector("#card:not([hidden])");
      assertEquals(await accessibilityProblems(page), []);
      await page.setInputFiles("#file", FILE);
      await answered(page);
      assertEquals(await accessibilityProblems(page), []);
    },
  );
}

pageTest("the documentation lists every route and opens from the keyboard", {}, async ({ page, server }) => {
  await page.goto(new URL("/docs", server.url).href);
  await page.waitForSelector(".operation");
  const { paths } = JSON.parse((await server.ask("/openapi.json")).text);
  const operations = Object.values<object>(paths).flatMap((methods) => Object.keys(methods));
  assertEquals(await page.locator(".operation").count(), operations.length);
  assertEquals(await accessibilityProblems(page), []);
  await page.focus(".operation summary");
  await page.keyboard.press("Enter");
  assertMatch((await text(page, ".operation[open]"))!, /multipart\/form-data/);
  await keepScreenshot(page, "documentation");
});
