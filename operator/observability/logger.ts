/**
 * The one logger: JSON lines for machines, constant text plus keys, so that a message can be searched for
 * and its values can be queried. Logs are for operators; users read conditions and events.
 */
import { createLogger as createWinstonLogger, format, transports } from 'winston';
import { isForesailError, messageOf } from '../errors.ts';
import type { Logger, LogKeys } from '../logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** @param stream where the lines go; standard error in the operator, so that standard output stays free for answers. */
export function createLogger(level: LogLevel, stream: NodeJS.WritableStream = process.stderr): Logger {
  const winston = createWinstonLogger({
    level,
    format: format.combine(format.timestamp(), format.json()),
    transports: [new transports.Stream({ stream })],
  });
  const at =
    (lvl: LogLevel) =>
    (message: string, keys: LogKeys = {}) =>
      void winston.log(lvl, message, printable(keys));
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** An Error has no enumerable fields and would be logged as `{}`. */
function printable(keys: LogKeys): LogKeys {
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(keys)) {
    if (!(value instanceof Error)) out[key] = value;
    else {
      out[key] = messageOf(value);
      if (isForesailError(value)) out[`${key}Code`] = value.code;
      if (value.cause !== undefined) out[`${key}Cause`] = messageOf(value.cause);
    }
  }
  return out;
}
