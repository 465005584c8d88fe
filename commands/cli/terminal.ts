/**
 * How wide the terminal is.
 * @module
 */

/** Where nobody says how wide a terminal is. */
const USUAL_COLUMNS = 80;

/**
 * Columns of the terminal that this program writes to: its own answer, else what `COLUMNS` says, else 80. Some terminals, such as a
 * container's, call themselves one and say 0 columns or nothing at all.
 */
export function terminalColumns(
  ask: () => number = () => Deno.consoleSize().columns,
  variable: () => string | undefined = columnsVariable,
): number {
  let columns = 0;
  try {
    columns = ask();
  } catch {
    // It has no size.
  }
  return [columns, Number(variable())].find((n) => Number.isSafeInteger(n) && n > 0) ?? USUAL_COLUMNS;
}

/** `serve` may not look at all of the environment. */
function columnsVariable(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "COLUMNS" });
  return state === "granted" ? Deno.env.get("COLUMNS") : undefined;
}
