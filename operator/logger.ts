/** What every room writes its log through: constant text plus keys, so that a line can be searched and counted. */
export type LogKeys = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, keys?: LogKeys): void;
  info(message: string, keys?: LogKeys): void;
  warn(message: string, keys?: LogKeys): void;
  error(message: string, keys?: LogKeys): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
