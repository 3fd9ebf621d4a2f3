/** Constant text plus keys. winston's Logger has this shape. */
export interface Logger {
  debug(message: string, keys?: Readonly<Record<string, unknown>>): unknown;
  info(message: string, keys?: Readonly<Record<string, unknown>>): unknown;
  warn(message: string, keys?: Readonly<Record<string, unknown>>): unknown;
  error(message: string, keys?: Readonly<Record<string, unknown>>): unknown;
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
