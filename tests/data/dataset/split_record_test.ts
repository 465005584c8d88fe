import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { ListedPhoto } from "../../../data/dataset/folder.ts";
import { RecordedSplit, recordSplit } from "../../../data/dataset/split_record.ts";
import { testNeeding } from "../../permissions.ts";

testNeeding("all")(
  "photos that only the starting weights had are neither the run's own nor unseen",
  async () => {
    const dir = await Deno.makeTempDir();
    try {
      const [a, b, c, d] = await Promise.all(["a", "b", "c", "d"].map(async (file): Promise<ListedPhoto> => {
        await Deno.writeTextFile(join(dir, file), file);
        return { class: "cat", label: 0, file, path: join(dir, file) };
      })) as [ListedPhoto, ListedPhoto, ListedPhoto, ListedPhoto];
      const drawn = { rule: 2, seed: 1, origin: "folders" };
      const first = recordSplit({ train: [a, b], valid: [], test: [c] }, drawn);
      assertEquals(first.before, undefined);
      const second = recordSplit({ train: [b], valid: [], test: [c] }, drawn, first);
      const third = recordSplit({ train: [c], valid: [], test: [b] }, drawn, second);
      const recorded = new RecordedSplit(third);
      assertEquals(recorded.sort([a, b, c, d]), {
        train: [c],
        valid: [],
        test: [b],
        before: [a],
        unseen: [d],
      });
      assertEquals(recorded.trainedOn([a, b, c, d]), [a, b, c]);
      assertEquals(recorded.size, 2);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);
