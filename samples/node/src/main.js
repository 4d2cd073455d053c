// Serves until SIGTERM or SIGINT; requests under way are answered.
import { createServer } from "node:http";
import { app } from "./app.js";
import { portFrom } from "./settings.js";

// milliseconds that a client may take to send a request's head
const HEAD_TIMEOUT = 10_000;
// what requests under way may take to end, below Docker's 10 seconds
const DRAIN_TIMEOUT = 8_000;

function listen(port) {
  const server = createServer({ headersTimeout: HEAD_TIMEOUT }, app());
  server.on("error", (error) => {
    console.error(`sample-service: ${error.message}`);
    process.exit(1);
  });
  const stop = () => {
    server.close();
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), DRAIN_TIMEOUT).unref();
  };
  process.once("SIGTERM", stop).once("SIGINT", stop);
  server.listen(port);
}

try {
  listen(portFrom(process.env.SUTRA_PORT));
} catch (error) {
  console.error(`${error.message}\ntip: a number from 1 to 65535`);
  process.exitCode = 2;
}
