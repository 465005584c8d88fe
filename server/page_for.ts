/**
 * One page for two places: what a server sends, and what lies in a static folder, differ in a few lines of the same file.
 * @module
 */

/** Where a page lies. */
export type PagePlace = "server" | "folder";

/** A page's text for a place: after a comment `server` or `folder` come lines for that place alone, after `both` those for both. */
export function pageFor(place: PagePlace, html: string): string {
  const [start, ...sections] = html.split(/^ *<!-- (server|folder|both) -->\n/m);
  let text = start!;
  for (let i = 0; i < sections.length; i += 2) {
    if (sections[i] === "both" || sections[i] === place) text += sections[i + 1]!;
  }
  return text;
}
