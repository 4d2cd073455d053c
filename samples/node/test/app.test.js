import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { app } from "../src/app.js";
import { DEFAULT_PORT, portFrom } from "../src/settings.js";

const server = createServer(app());
before(() => once(server.listen(0, "127.0.0.1"), "listening"));
after(() => server.close());

const get = async (path) => {
  const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`);
  return [answer.status, await answer.text()];
};

for (const [path, body] of [
  ["/health", '{"status":"ok"}'],
  ["/live", '{"status":"ok"}'],
  ["/hello/world", '{"hello":"world"}'],
]) {
  test(`${path} answers`, async () => assert.deepEqual(await get(path), [200, body]));
}

test("a path that is not there", async () => {
  assert.deepEqual(await get("/nothing"), [404, '{"title":"Not Found","status":404}']);
});

test("a path that nobody can decode", async () => {
  assert.deepEqual(await get("/hello/%E0%A4%A"), [400, '{"title":"Bad Request","status":400}']);
});

test("ports", () => {
  assert.equal(portFrom(""), DEFAULT_PORT);
  assert.equal(portFrom("65535"), 65535);
  for (const text of ["0", "65536", "http", "-1", "8e3", " 80"]) {
    assert.throws(() => portFrom(text), RangeError, text);
  }
});
