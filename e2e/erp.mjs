//! A small company's service as plugins meet one: its OpenAPI description, a list of orders, an order that takes as long as it is told to,
//! and a ticket that a question names. It asks for a key, and remembers who came with one.
import { createServer } from "node:http";

export const KEY = "erp-key-4711";
const ORDERS = [
  { id: 10, customer: "Nordwind GmbH", amount: 1280.5, state: "open", due: "2026-12-04" },
  { id: 9, customer: "上海某某科技有限公司", amount: 96000, state: "open", due: "2026-12-01" },
  { id: 11, customer: "=HYPERLINK(\"x\")", amount: 75, state: "paid", due: null },
];

/** Starts it on a free port. `hold()` makes `/hold` wait until the function it returns is called. */
export async function startErp() {
  const told = { seen: [], held: Promise.resolve() };
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    const { pathname } = new URL(request.url, "http://erp");
    const json = (value, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (request.method === "HEAD") return response.end();
    if (pathname === "/openapi.json") return json(description(`http://127.0.0.1:${server.address().port}`));
    told.seen.push({ line: `${request.method} ${request.url}`, key: request.headers["x-erp-key"], body });
    if (pathname === "/ticket") return json({ text: `${/TICKET-\d+/.exec(JSON.parse(body).text)[0]} is open` });
    if (request.headers["x-erp-key"] !== KEY) return json({ error: "no key" }, 401);
    if (pathname === "/orders" && request.method === "POST") return json({ id: 12, ...JSON.parse(body) }, 201);
    if (pathname === "/orders") return json(ORDERS);
    if (pathname === "/hold") {
      await told.held;
      return json({ done: true });
    }
    json({ error: "not found" }, 404);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return Object.assign(told, {
    url: `http://127.0.0.1:${server.address().port}`,
    hold: () => {
      let release;
      told.held = new Promise((done) => (release = done));
      return release;
    },
    stop: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  });
}

function description(url) {
  return {
    openapi: "3.1.0",
    info: { title: "ERP demo", description: "Orders of a small company" },
    servers: [{ url }],
    security: [{ key: [] }],
    components: { securitySchemes: { key: { type: "apiKey", in: "header", name: "X-ERP-Key" } } },
    paths: {
      "/orders": {
        get: { operationId: "listOrders", summary: "All orders", parameters: [{ name: "state", in: "query", schema: { type: "string", enum: ["open", "paid"] } }], responses: {} },
        post: {
          operationId: "createOrder",
          summary: "A new order",
          requestBody: { required: true, content: { "application/json": { schema: { type: "object", required: ["customer"], properties: { customer: { type: "string" }, amount: { type: "number" } } } } } },
          responses: {},
        },
      },
      "/hold": { get: { operationId: "hold", summary: "An order that takes its time", responses: {} } },
    },
  };
}

/** A service that knows tickets: it acts by itself where a question names one. */
export const tickets = (url) => ({
  id: "tickets",
  name: "Ticket desk",
  description: "Knows every ticket",
  icon: "🎫",
  permissions: [],
  api: { baseUrl: url, endpoints: {} },
  triggers: [{ on: "message", pattern: "TICKET-\\d+", endpoint: "/ticket" }],
});
