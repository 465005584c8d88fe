/**
 * The page of a report: one file that needs nothing else.
 * @module
 */
import base from "../server/page/base.css" with { type: "text" };
import own from "./page.css" with { type: "text" };
import { type Html, html, markup, type Section } from "./markup.ts";

/** What stands above the sections. */
export interface PageHead {
  readonly title: string;
  /** What kind of page it is; default: a report. */
  readonly eyebrow?: string;
  /** What it is about, in a line. */
  readonly about: Html | string;
  /** Whether and how it came to its end; what a pill says, and its colour. */
  readonly state?: { readonly text: string; readonly kind: "ready" | "waiting" | "away" } | undefined;
}

/** What of a page changes while it is shown: everything below its head's title. */
export function pageBody(
  { title, eyebrow = "Training report", about, state }: PageHead,
  sections: readonly Section[],
): Html {
  const [first] = sections;
  return html`
    <header class="top"><div><p class="eyebrow">${eyebrow}</p><h1>${title}</h1>
        <p class="quiet">${about}</p></div>${state
          ? html`<span class="pill" data-state="${state.kind}">${state.text}</span>`
          : ""}</header>
    <main id="main">${first
      ? html`
        <nav aria-label="Contents">
          <ul class="contents">${sections.map(({ id, title }) =>
            html`<li><a href="#${id}">${title}</a></li>`
          )}</ul>
        </nav>
      `
      : ""}${sections.map(({ id, title, body }) =>
        html`
          <section id="${id}"
            aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${body}</section>
        `
      )}</main>
  `;
}

/** The whole page; the `script` at that address runs in it, else none may. */
export function page(head: PageHead, sections: readonly Section[], script?: string): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:${
    script === undefined ? "" : "; script-src 'self'; connect-src 'self'"
  }`;
  return `${html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="${markup(policy)}">
        <title>${head.title} · Training report</title>
        <style>${markup(base)}${markup(own)}</style>
      </head>
      <body><a class="skip" href="#main">Skip to the figures</a><div id="report">${pageBody(
        head,
        sections,
      )}</div>
    <footer class="bottom"><p>${script === undefined
      ? "Made by alexnet-webgpu. Nothing on this page is loaded from anywhere."
      : "The page follows the run; when it ends, report.html in its folder shows more."}</p></footer>${script ===
        undefined
      ? ""
      : html`<script type="module" src="${script}"></script>`}</body>
    </html>
  `}`;
}
