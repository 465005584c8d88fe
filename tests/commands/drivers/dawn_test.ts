import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { fetchDawn } from "../../../commands/drivers/dawn.ts";
import { UserError } from "../../../engine/errors.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

test("Dawn is not fetched again where it is", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(join(folder, "deno.json"), "{}");
  await fetchDawn(folder);
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["deno.json"]);
  await Deno.remove(folder, { recursive: true });
});

test("where Dawn cannot be fetched that is one sentence, and nothing is left", async () => {
  const place = await Deno.makeTempDir();
  await Deno.writeTextFile(join(place, "dawn"), "a file where the folder should be");
  const { message } = await assertRejects(() => fetchDawn(join(place, "dawn", "in")), UserError);
  assertEquals(/^Cannot fetch Dawn: [^\n]+$/.test(message), true, message);
  assertEquals([...Deno.readDirSync(place)].map(({ name }) => name), ["dawn"]);
  await Deno.remove(place, { recursive: true });
});
