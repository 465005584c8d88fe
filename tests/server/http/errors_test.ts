import { assertEquals, assertMatch } from "@std/assert";
import { ImageError } from "../../../data/image/image.ts";
import { toRequestError } from "../../../server/http/context.ts";

Deno.test("a photo whose decoder the server could not fetch is answered with 503, and nothing of the inside", () => {
  const inside =
    "Cannot decode the HEIC: its decoder (npm:libheif-js) could not be fetched: no route to 10.0.0.1";
  const { status, message } = toRequestError(new ImageError("no-decoder", inside), "serving");
  assertEquals(status, 503);
  assertMatch(
    message,
    /^Cannot decode the image: the server could not fetch the decoder of its format; [^:]*$/,
  );
});
