/**
 * Structured logs: one JSON object per line.
 * @module
 */

/** How much is told: each level includes those after it. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "off"] as const;

/** A level of `LOG_LEVELS`. */
export type LogLevel = typeof LOG_LEVELS[number];

type Fields = Readonly<Record<string, unknown>>;

/** Writes what happened, with the fields that say to whom and how. */
export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

/** A logger that hands each line, without its line break, to `write`; fields that are undefined are left out. */
export function createLogger(level: LogLevel, write: (line: string) => void = console.log): Logger {
  const lowest = LOG_LEVELS.indexOf(level);
  const at = (name: Exclude<LogLevel, "off">) => {
    if (LOG_LEVELS.indexOf(name) < lowest) return () => {};
    return (message: string, fields: Fields = {}) =>
      write(JSON.stringify({ time: new Date().toISOString(), level: name, message, ...fields }));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
