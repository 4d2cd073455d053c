// Loads packages, as import and as require, from the folder that it is started in; says of each
// whether it loaded. What a package does when it is loaded ends with this process.
import { writeSync } from "node:fs";
import { createRequire } from "node:module";

const [mark, questions] = process.argv.slice(-2);
const require = createRequire(`${process.cwd()}/x.js`);
const exit = process.exit.bind(process);
for (const [how, name] of JSON.parse(questions)) {
  let said = "";
  try {
    if (how === "require") require(name);
    else await import(name);
  } catch (error) {
    said = String(error?.message ?? error).split("\n")[0] || "an error";
  }
  writeSync(1, `\n${mark}${JSON.stringify([how, name, said])}\n`);
}
exit(0);
