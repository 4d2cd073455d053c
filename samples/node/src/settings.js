// Settings from the environment.

// where the service listens, unless SUTRA_PORT names another port
export const DEFAULT_PORT = 8100;

/** Returns the port that a text names. Throws a RangeError for what is no port. */
export function portFrom(text) {
  if (!text) return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) {
    throw new RangeError(`SUTRA_PORT: not a port ${JSON.stringify(text)}`);
  }
  return port;
}
