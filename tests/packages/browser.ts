/**
 * A real browser, where there is one.
 * @module
 */
import { type Browser, chromium } from "playwright-core";
import { present } from "../permissions.ts";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser's program, or undefined where none is installed. */
export const browserPath: string | undefined = PATHS.find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

/** Where distributions put Chromium's SwiftShader, a driver that Deno can use, too. */
export const SWIFTSHADER: string | undefined = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/opt/google/chrome",
]
  .map((folder) => `${folder}/vk_swiftshader_icd.json`).find((path) => present(path));

/** What makes the browser offer WebGPU without a graphics card, on SwiftShader; for `startBrowser`. */
export const WEBGPU_ARGS: readonly string[] = ["--headless=new", "--enable-unsafe-webgpu"];

/** Starts it without a window; `args` after others of the same name take their place. Anything but loopback is out of its reach. */
export async function startBrowser(args: readonly string[] = []): Promise<Browser> {
  return await chromium.launch({
    executablePath: browserPath!,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      ...args,
    ],
  });
}
