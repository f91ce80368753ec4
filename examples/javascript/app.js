// A component in JavaScript: the standard fetch event, as in a service worker. ComponentizeJS puts this file and a
// JavaScript engine (StarlingMonkey) into one wasi:http component.
//
//   GET  /javascript/hello/Ada    greets whom the path names
//   POST /javascript/sum          a JSON array of numbers: their count and sum

const json = (value, status = 200) =>
  new Response(JSON.stringify(value) + "\n", {
    status,
    headers: { "content-type": "application/json" },
  });

async function sum(request) {
  let numbers;
  try {
    numbers = await request.json();
  } catch {
    return json({ error: "the body is not JSON" }, 400);
  }
  if (!Array.isArray(numbers) || !numbers.every(Number.isFinite)) {
    return json({ error: "the body is not an array of numbers" }, 400);
  }
  return json({ count: numbers.length, sum: numbers.reduce((total, number) => total + number, 0) });
}

async function handle(request) {
  const path = new URL(request.url).pathname.split("/").slice(2); // what comes below /javascript
  if (request.method === "GET" && path[0] === "hello" && path.length <= 2) {
    return json({ greeting: `Hello, ${decodeURIComponent(path[1] || "world")}!` });
  }
  if (request.method === "POST" && path.join("/") === "sum") {
    return sum(request);
  }
  return json({ error: `there is no ${request.method} ${path.join("/")}` }, 404);
}

addEventListener("fetch", (event) => event.respondWith(handle(event.request)));
