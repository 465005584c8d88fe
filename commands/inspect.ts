/** `deno task inspect`: what is wrong with a folder of photos, before or after a training. */
import { CACHE_FOLDER, CACHE_SIDE } from "../data/dataset/cache.ts";
import { type Dataset, openDataset } from "../data/dataset/folder.ts";
import { nameList } from "../data/dataset/names.ts";
import { datasetLeftOutText } from "../data/dataset/left_out.ts";
import { datasetWarnings } from "../data/dataset/warnings.ts";
import { foundAny, inspectionLines } from "../data/inspection/inspection_text.ts";
import { inspectPhotos } from "../data/inspection/inspection.ts";
import { labelIssueLines } from "../data/inspection/label_issues.ts";
import { count, printable } from "../engine/text.ts";
import { decodedOf } from "../training/photos/photo_list.ts";
import { openPhotos } from "../training/photos/photo_source.ts";
import { textReporter } from "../training/run/reporter.ts";
import { flag, parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { userPath } from "./cli/user_path.ts";
import { terminalColumns } from "./cli/terminal.ts";
import { suspectLabels } from "./inspect_labels.ts";

const NAME = "deno task inspect";

/** A class of fewer training photos is learnt badly, whatever the network. */
const FEW = 20;

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Looks for what is wrong with a folder of photos: the same picture twice, above all in two splits or two classes; " +
    "dark, blurred, tiny or unreadable ones; small or unequal classes; and, with --checkpoint, labels that are likely " +
    "wrong. The exit code is 1 where something was found, and 2 where nothing could be looked at.",
  usesGpu: true,
  flags: {
    data: flag.path({ help: "folder of photos, laid out as for train", value: "DIR", required: true }),
    checkpoint: flag.list({
      help:
        "a run or model whose doubts about labels are wanted; asked only for photos that it was not trained on, so " +
        "several, trained on different photos, judge more of them (repeat it)",
      value: "PATH",
    }),
    classes: flag.list({ help: "classes to look at (default: all)", value: "NAME,NAME", separator: "," }),
    seed: flag.int({
      help: "draws the split that train would with it",
      default: 1,
      min: 0,
      max: 2 ** 32 - 1,
    }),
    cache: flag.path({ help: "folder for decoded photos", default: CACHE_FOLDER, value: "DIR" }),
    all: flag.boolean({ help: "name every photo, not only ten of a kind" }),
    json: flag.boolean({ help: "print one JSON object, with every photo" }),
  },
});

await runCommand(NAME, async () => {
  const write = (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
  const terminal = Deno.stderr.isTerminal();
  const report = textReporter(write, { terminal, ...terminal && { columns: terminalColumns() } });
  const onNote = (text: string) => report({ event: "note", text });
  const { json, all, seed } = flags;
  const dataset = await openDataset(flags.data, {
    seed,
    ...flags.classes && flags.classes.length > 0 && { classes: flags.classes },
  });
  const samples = Object.values(dataset.splits).flat();
  using store = await openPhotos(samples, {
    side: CACHE_SIDE,
    cacheDir: flags.cache,
    onProgress: (done, total) => report({ event: "progress", what: "Decoding image", done, total }),
    ...!json && { onNote: () => {} }, // told below, with the others
  });
  const used = decodedOf(dataset, store), found = inspectPhotos(used, store);
  const warnings = [...smallClasses(used), ...datasetWarnings(used, { duplicates: false })];
  const unreadable = store.skipped.map(({ path, reason }) => ({ file: path, reason }));
  const labels = flags.checkpoint && flags.checkpoint.length > 0
    ? await suspectLabels(flags.checkpoint.map(userPath), used, { cacheDir: flags.cache, onNote })
    : undefined;
  const counts = Object.entries(used.splits).map(([split, photos]) => [split, photos.length] as const);
  const bad = foundAny(found) || warnings.length > 0 || unreadable.length > 0 ||
    labels !== undefined && labels.issues.length > 0;
  if (json) {
    console.log(JSON.stringify({
      data: flags.data,
      split: dataset.origin,
      classes: used.classes,
      images: Object.fromEntries(counts),
      ...found,
      unreadable,
      leftOut: used.leftOut,
      warnings,
      ...labels && { labels },
    }));
    return bad ? 1 : 0;
  }
  const say = (line: string) => console.log(printable(line));
  const splits = counts.filter(([, n]) => n > 0).map(([split, n]) => `${n} ${split}`).join(", ");
  say(
    `${count(found.photos, "photo")} of ${count(used.classes.length, "class", "classes")} in ${dataset.dir}`,
  );
  say(`Split: ${splits} (${dataset.origin})`);
  for (const phrase of dataset.notes) say(`Folders: ${phrase}`);
  const left = datasetLeftOutText(used);
  if (left) say(left);
  for (const { file, reason } of unreadable.slice(0, all ? Infinity : 10)) say(`  ${file}: ${reason}`);
  for (const warning of warnings) say(`Warning: ${warning}`);
  for (const line of inspectionLines(found, { all })) say(line);
  if (labels) { for (const line of labelIssueLines(labels, { all })) say(line); }
  if (!bad) say("Nothing was found that looks wrong");
  return bad ? 1 : 0;
}, 2);

/** Classes of few training photos, which training itself does not mention. */
function smallClasses({ classes, splits }: Dataset): string[] {
  const counts = classes.map((_, k) => splits.train.filter(({ label }) => label === k).length);
  const small = classes.filter((_, k) => counts[k]! < FEW);
  if (small.length === 0) return [];
  const have = small.length > 1 ? "have" : "has";
  return [`${nameList(small)} ${have} fewer than ${FEW} training photos, of which little can be learnt`];
}
