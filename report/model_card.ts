/**
 * A run's model card, `README.md` beside its checkpoints, in the form that Hugging Face reads (Mitchell et al. 2019; the metadata are
 * https://huggingface.co/docs/hub/model-cards). A card that a person has edited is left as it is.
 * @module
 */
import { basename, join, resolve } from "@std/path";
import { isFile } from "../engine/files.ts";
import { count } from "../engine/text.ts";
import type { ModelCard } from "../model/checkpoint/card.ts";
import { loadCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { type LoggedEnd, readRunLog, type RunLog } from "./event_log.ts";
import { wilson } from "./figures.ts";
import { commandsOf } from "./run_sections.ts";

/** The card's name, under which hubs show it. */
export const MODEL_CARD = "README.md";

/** What a card ends with: the digest of all before it, by which an edited card is told from one that may be written again. */
const SEAL = /\n<!-- Written by train; a card that is edited is kept\. ([0-9a-f]{16}) -->\n$/;

/** Writes the card of a run that has come to its end; resolves with its path, or with why there is none: empty where none is due. */
export async function writeModelCard(
  folder: string,
): Promise<{ readonly path: string } | { readonly reason: string }> {
  const path = join(folder, MODEL_CARD), best = join(folder, "best.safetensors");
  const log = await readRunLog(folder);
  if (!log?.end || log.end.stopped || !isFile(best)) return { reason: "" };
  const old = await Deno.readTextFile(path).catch(() => undefined);
  if (old !== undefined && !await isOwn(old)) return { reason: `${path} was edited and is kept` };
  const { card } = await loadCheckpoint(best);
  const text = await sealed(modelCardText(basename(resolve(folder)), card, log));
  await writeFileAtomically(path, new TextEncoder().encode(text));
  return { path };
}

async function isOwn(text: string): Promise<boolean> {
  const seal = SEAL.exec(text.replaceAll("\r\n", "\n"));
  return seal !== null && await digest(text.replaceAll("\r\n", "\n").slice(0, seal.index)) === seal[1];
}

async function sealed(text: string): Promise<string> {
  return `${text}\n<!-- Written by train; a card that is edited is kept. ${await digest(text)} -->\n`;
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex().slice(0, 16);
}

/** A share with its 95 % interval, as hits of n. */
interface Measured {
  readonly split: "validation" | "test";
  readonly hits: number;
  readonly n: number;
  readonly confusion: readonly (readonly number[])[];
}

/** The card's text, without its seal: metadata, then sections. */
export function modelCardText(name: string, card: ModelCard, log: RunLog | undefined): string {
  const { classes, training = {}, preprocess, model, calibration, unknown } = card,
    start = log?.starts.at(-1);
  const measured = [
    ...training.confusion ? [measuredOf("validation", training.confusion)] : [],
    ...testOf(log?.end),
  ];
  const data = start?.data ?? "unknown", images = start?.images;
  const command = log && commandsOf(log)[0];
  const sections = [
    `# ${name}`,
    `A ${model} network (${card.parameters.toLocaleString("en")} parameters) that tells ${
      list(classes)
    } apart on photos of ${preprocess.width}x${preprocess.height} pixels, trained with alexnet-webgpu.`,
    "## Intended use",
    `Classifying photos like those it was trained on. ${
      unknown
        ? `A photo that is less familiar than ${
          percent(1 - unknown.falseRefusals)
        } of the validation photos is called unknown; others of no class it knows are named as one all the same.`
        : "It names one of its classes for any photo, also where the photo shows none of them."
    }`,
    "## Limits",
    [
      "- The figures below hold for photos of the same kind and source as the data; for others they have to be measured (`deno task evaluate --checkpoint … --data …`).",
      ...images
        ? [`- It was trained on ${count(images.train, "photo")}; what these lack it has not learnt.`]
        : [],
      ...start && log?.end && log.end.trainedBefore > 0
        ? [
          `- The weights it began from were trained on ${log.end.trainedBefore} of the photos that it was measured on.`,
        ]
        : [],
      "- Nobody has looked at who or what is shown in the data and what is missing; add it here.",
    ].join("\n"),
    "## Data",
    images
      ? `\`${data}\` (${
        start!.split
      }): ${images.train} training, ${images.valid} validation and ${images.test} test photos of ${
        count(classes.length, "class", "classes")
      }.`
      : "Not recorded.",
    "## Figures",
    measured.length > 0 ? figures(classes, measured) : "None were measured.",
    ...calibration
      ? [
        `Probabilities are those of the logits divided by ${
          calibration.temperature.toFixed(3)
        }, chosen on ${calibration.photos} validation photos: expected calibration error ${
          calibration.eceAfter.toFixed(3)
        } (${calibration.eceBefore.toFixed(3)} without).`,
      ]
      : [],
    "## How to use it",
    "```sh\ndeno task predict --checkpoint best.safetensors photo.jpg\ndeno task serve --checkpoint best.safetensors\n```",
    "The tensors have PyTorch's names and shapes: `safetensors.torch.load_file` reads them. The metadata of the file say how a photo becomes the input, and the classes in the order of the logits.",
    "## Training",
    [
      ...training.optimizer
        ? [
          `${training.optimizer}, learning rate ${training.lr}, ${training.schedule}, batches of ${training.batchSize}; epoch ${
            training.epoch ?? "?"
          } had the best validation accuracy.`,
        ]
        : ["Not recorded."],
      ...start ? [`Adapter: ${start.adapter}.`] : [],
      ...command ? [`\n\n\`\`\`sh\n${command}\n\`\`\``] : [],
    ].join(" ").replaceAll(" \n", "\n"),
  ];
  return `${metadata(name, card, { data, measured })}\n\n${sections.join("\n\n")}\n`;
}

function metadata(
  name: string,
  { model }: ModelCard,
  { data, measured }: { readonly data: string; readonly measured: readonly Measured[] },
): string {
  // A JSON string is a YAML string.
  const text = JSON.stringify;
  const results = measured.map(({ split, hits, n }) =>
    [
      "      - task:",
      "          type: image-classification",
      "        dataset:",
      `          name: ${text(data)}`,
      "          type: imagefolder",
      `          split: ${split}`,
      "        metrics:",
      "          - type: accuracy",
      `            value: ${(hits / n).toFixed(4)}`,
      `            name: ${text(`accuracy on ${n} ${split} photos`)}`,
    ].join("\n")
  );
  return [
    "---",
    "# license: yours to choose, see https://huggingface.co/docs/hub/repositories-licenses",
    "library_name: alexnet-webgpu",
    "pipeline_tag: image-classification",
    "tags:",
    ...["image-classification", "webgpu", "safetensors", model].map((tag) => `  - ${text(tag)}`),
    ...results.length > 0
      ? ["metrics:", "  - accuracy", "model-index:", `  - name: ${text(name)}`, "    results:", ...results]
      : [],
    "---",
  ].join("\n");
}

function measuredOf(split: Measured["split"], confusion: readonly (readonly number[])[]): Measured {
  const n = confusion.flat().reduce((a, b) => a + b, 0);
  return { split, n, hits: confusion.reduce((sum, row, k) => sum + row[k]!, 0), confusion };
}

function testOf(end: LoggedEnd | undefined): Measured[] {
  return end?.split === "test" && end.result ? [measuredOf("test", end.result.confusion)] : [];
}

/** A table of accuracy and recalls, each with its interval. */
function figures(classes: readonly string[], measured: readonly Measured[]): string {
  const share = (hits: number, n: number) => {
    const range = wilson(hits, n);
    return range
      ? `${percent(hits / n)} (${percent(range.low)} to ${percent(range.high)}), ${n}`
      : "no photo";
  };
  const row = (title: string, cells: readonly string[]) => `| ${[title, ...cells].join(" | ")} |`;
  const name = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  return [
    row("share, with its 95 % interval, of photos", measured.map(({ split }) => split)),
    row("---", measured.map(() => "---")),
    row("accuracy", measured.map(({ hits, n }) => share(hits, n))),
    ...classes.map((title, k) =>
      row(
        `recall of ${name(title)}`,
        measured.map(({ confusion }) => share(confusion[k]![k]!, confusion[k]!.reduce((a, b) => a + b, 0))),
      )
    ),
  ].join("\n");
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1).replace(/\.0$/, "")} %`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => `"${name}"`);
  const rest = names.length - shown.length;
  return new Intl.ListFormat("en").format([...shown, ...rest > 0 ? [`${rest} more classes`] : []]);
}
