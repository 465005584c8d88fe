/** @module */

/** Lines of a Markdown table that reads well as plain text too. Columns whose heading starts with `>` are aligned right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const right = headings.map((heading) => heading.startsWith(">"));
  const names = headings.map((heading) => heading.replace(/^>/, ""));
  const widths = names.map((name, i) =>
    Math.max(3, name.length, ...rows.map((row) => (row[i] ?? "").length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      widths.map((width, i) => right[i] ? (cells[i] ?? "").padStart(width) : (cells[i] ?? "").padEnd(width))
        .join(" | ")
    } |`;
  const rule = `| ${
    widths.map((width, i) => right[i] ? "-".repeat(width - 1) + ":" : "-".repeat(width)).join(" | ")
  } |`;
  return [line(names), rule, ...rows.map(line)];
}

/** A number with about three digits; a dash for what was not measured. */
export function digits(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  const size = Math.abs(value);
  return size >= 100 || Number.isInteger(value)
    ? value.toFixed(0)
    : size >= 10
    ? value.toFixed(1)
    : value.toFixed(size >= 0.1 ? 2 : 3);
}

/** A share as whole percent; a dash for what was not measured. */
export function percent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share)
    ? "-"
    : `${(share * 100).toFixed(share < 0.095 ? 1 : 0)} %`;
}
