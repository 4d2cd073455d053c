// Exits with 0 if the running service answers a path with 200: for Docker's health
// check, since the image has no shell and no curl.
//
//   eg: node /app/src/healthcheck.js /health
import { get } from "node:http";
import { portFrom } from "./settings.js";

const TIMEOUT = 2_000;
const path = process.argv[2] ?? "/live";
const fail = (why) => {
  console.error(`sample-service: ${path}: ${why}`);
  process.exit(1);
};

get({ host: "127.0.0.1", port: portFrom(process.env.SUTRA_PORT), path, timeout: TIMEOUT }, (answer) =>
  answer.statusCode === 200 ? process.exit(0) : fail(answer.statusCode),
)
  .on("timeout", () => fail("no answer"))
  .on("error", (error) => fail(error.message));
