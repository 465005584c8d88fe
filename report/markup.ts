/**
 * HTML of reports, and how numbers are told in it.
 * @module
 */
import { html as tagged, raw } from "hono/html";
import type { Interval, Share } from "./figures.ts";

/** A piece of HTML; what is put into one is escaped unless it is one itself. */
export type Html = Extract<ReturnType<typeof tagged>, { isEscaped: true }>;

/** A piece of HTML from a template. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): Html {
  return tagged(strings, ...values) as Html;
}

/** Text that is HTML already: charts, styles. */
export function markup(text: string): Html {
  return raw(text) as Html;
}

/** Such as `94.7 %`, which no line breaks; nothing is told as a dash. */
export function percent(value: number | null | undefined): string {
  return value === undefined || value === null || Number.isNaN(value)
    ? "–"
    : `${(100 * value).toFixed(1)}\u00a0%`;
}

/** Such as `91.5–96.8`. */
export function range(interval: Interval | undefined): string {
  return interval ? `${(100 * interval.low).toFixed(1)}–${(100 * interval.high).toFixed(1)}` : "";
}

/** A share with its interval. */
export function share({ value, interval }: Share): Html {
  return html`${percent(value)}${
    interval
      ? html`
        <small>${range(interval)}</small>
      `
      : ""
  }`;
}

/** A figure with what it is, for a list of them. */
export function fact(name: string, value: unknown, more?: unknown): Html {
  return html`
    <div>
      <dt>${name}</dt>
      <dd>${value}${more
        ? html`
          <small>${more}</small>
        `
        : ""}</dd>
    </div>
  `;
}

/** A part of a page, which a table of contents can name. */
export interface Section {
  /** Its anchor. */
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** A wide thing that scrolls by itself, also from the keyboard. */
export function scrolling(label: string, content: Html): Html {
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">${content}</div>`;
}
