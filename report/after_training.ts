/**
 * Reports of the runs that have just ended.
 * @module
 */
import { UserError } from "../engine/errors.ts";
import { writeModelCard } from "./model_card.ts";
import type { Reporter } from "../training/run/events.ts";

/**
 * Writes the report of each run's folder and tells where it is. A report that cannot be written is told and is no failure: the training
 * is done.
 */
export async function reportRuns(
  folders: readonly string[],
  report: Reporter,
  shown: (path: string) => string = (path) => path,
): Promise<void> {
  const note = (text: string) => report({ event: "note", text });
  for (const folder of folders) {
    try {
      // What draws is loaded now, and not when a training starts.
      const { writeRunReport } = await import("./run_report.ts");
      const path = await writeRunReport(folder, {
        onProgress: (done, total) =>
          report({ event: "progress", what: "Looking at validation photo", done, total }),
        onNote: note,
      });
      note(`Report    ${shown(path)}`);
    } catch (error) {
      const text = error instanceof UserError ? error.message : (error as Error).stack ?? `${error}`;
      note(`Warning   the report of ${shown(folder)} could not be written: ${text}`);
    }
  }
}

/** Writes the model card of each run that has come to its end beside its best checkpoint, and tells where it is, or what kept it from that. */
export async function writeModelCards(
  folders: readonly string[],
  report: Reporter,
  shown: (path: string) => string = (path) => path,
): Promise<void> {
  for (const folder of folders) {
    const written = await writeModelCard(folder).catch((error: Error) => ({ reason: error.message }));
    if ("path" in written) report({ event: "note", text: `Card      ${shown(written.path)}` });
    else if (written.reason) report({ event: "note", text: `Card      not written: ${written.reason}` });
  }
}
