/**
 * The pictures that lie beside a report.
 * @module
 */
import { encodeJpeg } from "../data/shapes/shape_drawing.ts";
import { confusionChart, lineChart } from "./charts.ts";
import { chartSheet, contactSheet, type Tile } from "./contact_sheet.ts";
import { keysOf, type TitledChart } from "./curves.ts";
import { PICTURE } from "./look.ts";
import { drawSvg } from "./raster.ts";

/** `results.png`: the curves of a run; undefined where there are none. */
export async function curvesPicture(charts: readonly TitledChart[]): Promise<Uint8Array | undefined> {
  if (charts.length === 0) return undefined;
  const drawn = charts.map((chart) => {
    const keys = keysOf(chart, PICTURE);
    return { title: chart.title, keys: keys.length > 1 ? keys : [], svg: lineChart(chart, PICTURE) };
  });
  return (await drawSvg(chartSheet(drawn))).png;
}

/** `confusion_matrix.png`. */
export async function confusionPicture(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): Promise<Uint8Array> {
  return (await drawSvg(confusionChart(confusion, classes, PICTURE))).png;
}

/** Pictures with captions, as a JPEG. */
export async function sheetPicture(title: string, tiles: readonly Tile[]): Promise<Uint8Array> {
  return await encodeJpeg((await drawSvg(contactSheet(title, tiles), 1.5)).image, { quality: 82 });
}
