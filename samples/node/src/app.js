// What the service answers.
import Router from "find-my-way";

const write = (answer, code, content) => {
  const body = JSON.stringify(content);
  answer.writeHead(code, { "content-type": "application/json" }).end(body);
};

const health = (_, answer) => write(answer, 200, { status: "ok" });

// replace this with what the service is for
const hello = (_, answer, { name }) => write(answer, 200, { hello: name });

/** Returns the handler of all requests. */
export function app() {
  const router = Router({
    defaultRoute: (_, answer) => write(answer, 404, { title: "Not Found", status: 404 }),
    onBadUrl: (_, __, answer) => write(answer, 400, { title: "Bad Request", status: 400 }),
  });
  router.on("GET", "/health", health);
  router.on("GET", "/live", health);
  router.on("GET", "/hello/:name", hello);
  return (request, answer) => router.lookup(request, answer);
}
