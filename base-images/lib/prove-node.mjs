// Shows that Node.js works in a root: every module of its own loads, and what Debian keeps apart
// from it as well: fetch (undici), names of CommonJS modules (cjs-module-lexer), ICU, OpenSSL.
//
//   eg: chroot /rootfs node /tmp/prove-node.mjs
import { builtinModules, createRequire } from "node:module";

const require = createRequire(import.meta.url);
for (const name of builtinModules) require(name);
// only known with the prefix
for (const name of ["node:test", "node:test/reporters"]) require(name);

const expect = (what, is) => {
  if (!is) throw new Error(`prove-node: ${what}`);
};
const { createServer } = require("node:http");
const server = createServer((_, answer) => answer.end("well")).listen(0, "127.0.0.1");
await require("node:events").once(server, "listening");
const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
expect("fetch", (await answer.text()) === "well");
server.close();

const { mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const folder = mkdtempSync("/tmp/prove-node-");
writeFileSync(`${folder}/common.cjs`, "exports.named = 1;");
expect("names of a CommonJS module", (await import(`${folder}/common.cjs`)).named === 1);
rmSync(folder, { recursive: true });

expect("ICU", new Intl.DateTimeFormat("de", { month: "long" }).format(new Date(2026, 2)) === "März");
const { createHash, getCiphers, generateKeyPairSync } = require("node:crypto");
expect("OpenSSL", createHash("sha256").update("").digest("hex").startsWith("e3b0c442"));
expect("keys", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.type === "private");
expect("ciphers", getCiphers().includes("aes-256-gcm"));
expect("certificates", require("node:tls").rootCertificates.length > 0);
expect("WebAssembly", WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
const { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } = require("node:zlib");
expect("brotli", brotliDecompressSync(brotliCompressSync("well")).toString() === "well");
expect("zlib", gunzipSync(gzipSync("well")).toString() === "well");
console.log(`node ${process.version}: ${builtinModules.length} modules load`);
process.exit(0);
