/** One level of a logger: a message, or an object of fields and a message. */
export interface LogMethod {
  (fields: object, message: string): void;
  (message: string): void;
}

/** What the code logs to. A pino logger is one. */
export interface Logger {
  trace: LogMethod;
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
  /** A logger that adds `bindings` to every line. */
  child(bindings: object): Logger;
}

const nothing: LogMethod = () => {};

/** A logger that says nothing. */
export const silentLogger: Logger = Object.freeze({
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => silentLogger,
});
