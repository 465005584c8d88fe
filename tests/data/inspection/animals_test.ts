import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { openPhotoStore } from "../../../data/dataset/cache.ts";
import { openDataset } from "../../../data/dataset/folder.ts";
import { inspectPhotos } from "../../../data/inspection/inspection.ts";
import { present, testNeeding } from "../../permissions.ts";
import { plant, SPLIT_SEED } from "./planted.ts";

const ANIMALS = fromFileUrl(new URL("../../../../shared/animals", import.meta.url));

testNeeding("all")({
  name:
    "of 600 photos at least nine of ten copies across splits, all dark and all blurred ones are named, with few false alarms" +
    (present(ANIMALS) ? "" : " (needs ../shared/animals)"),
  ignore: !present(ANIMALS),
  async fn() {
    const dir = await Deno.makeTempDir();
    try {
      const planted = await plant(ANIMALS, dir, { count: 600, seed: 1 });
      const dataset = await openDataset(dir, { seed: SPLIT_SEED });
      using store = await openPhotoStore(Object.values(dataset.splits).flat(), { cacheDir: null });
      const { photos, duplicates, faults } = inspectPhotos(dataset, store);
      assertEquals(photos, 610);
      const found = planted.copies.filter((pair) =>
        duplicates.some(({ photos, acrossSplits }) =>
          acrossSplits && pair.every((name) => photos.some(({ file }) => file === name))
        )
      );
      assert(found.length >= 9, `${found.length} of 10 copies`);
      const names = (fault: "dark" | "blurred") => faults[fault].map(({ file }) => file);
      assertEquals(planted.dark.filter((file) => names("dark").includes(file)).length, 3);
      assertEquals(planted.blurred.filter((file) => names("blurred").includes(file)).length, 3);
      const named = duplicates.length + Object.values(faults).flat().length;
      const alarms = named - found.length - 6;
      console.log(`${found.length} copies, 3 dark, 3 blurred, ${alarms} false alarms`);
      assert(alarms <= 10, `${alarms} false alarms`);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});
