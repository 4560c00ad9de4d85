#!/usr/bin/env python3
"""A small company's ERP: orders, stock, new orders. Python's standard library and SQLite; it is an example to connect to, no product.

    python3 erp.py [--port 8090] [--data erp.db]

With ERP_TOKEN in the environment every request has to bear it (Authorization: Bearer ...). What it offers is in openapi.json.
"""
import argparse
import datetime
import hmac
import json
import os
import re
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SCHEMA = """
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, name TEXT NOT NULL, on_hand INTEGER NOT NULL, price_cents INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, status TEXT NOT NULL, ordered_on TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lines (order_id INTEGER NOT NULL REFERENCES orders (id), sku TEXT NOT NULL REFERENCES stock (sku),
  count INTEGER NOT NULL, price_cents INTEGER NOT NULL);
"""
STOCK = [
    ("M3-20", "螺丝 M3×20 (100) · Screws", 500, 1250),
    ("NUT-3", "螺母 M3 (100) · Nuts", 320, 890),
    ("PUMP-1", "水泵 · Pump", 6, 480000),
]
ORDERS = [
    (1001, "东海机械 · Donghai", "shipped", "2026-10-12", [("M3-20", 20, 1250), ("NUT-3", 20, 890)]),
    (1002, "Nordwind GmbH", "open", "2026-11-03", [("PUMP-1", 2, 480000)]),
]


class Refused(Exception):
    """A request that is answered with a status and a sentence."""

    def __init__(self, status, sentence):
        super().__init__(sentence)
        self.status = status


class Erp:
    def __init__(self, path):
        self.db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.lock = threading.Lock()
        self.db.executescript(SCHEMA)
        if self.db.execute("SELECT count(*) FROM stock").fetchone()[0] == 0:
            self.db.executemany("INSERT INTO stock VALUES (?, ?, ?, ?)", STOCK)
            for number, customer, status, day, lines in ORDERS:
                self.db.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", (number, customer, status, day))
                self.db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?)", [(number, *line) for line in lines])

    def stock(self, query):
        rows = self.db.execute("SELECT * FROM stock ORDER BY sku")
        found = [stocked(row) for row in rows]
        if "sku" in query:
            found = [item for item in found if item["sku"] == query["sku"]]
        return {"items": found}

    def orders(self, query):
        rows = self.db.execute("SELECT * FROM orders ORDER BY id DESC").fetchall()
        if "status" in query:
            rows = [row for row in rows if row["status"] == query["status"]]
        if "customer" in query:
            rows = [row for row in rows if query["customer"].lower() in row["customer"].lower()]
        return {"orders": [self.told(row) for row in rows[: int(query.get("limit", 20))]]}

    def order(self, number):
        row = self.db.execute("SELECT * FROM orders WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise Refused(404, f"there is no order {number}")
        return self.told(row)

    def create(self, asked):
        customer, lines = asked.get("customer"), asked.get("lines")
        if not isinstance(customer, str) or not customer.strip():
            raise Refused(422, "customer: who orders is missing")
        if not isinstance(lines, list) or not lines:
            raise Refused(422, "lines: there is nothing to order")
        self.db.execute("BEGIN IMMEDIATE")
        try:
            number = self.db.execute("SELECT max(id) + 1 FROM orders").fetchone()[0]
            day = datetime.date.today().isoformat()
            self.db.execute("INSERT INTO orders VALUES (?, ?, 'open', ?)", (number, customer.strip(), day))
            for line in lines:
                self.reserve(number, line)
            total = self.order(number)["total"]
            # Whoever agrees to an order agrees to a sum: a caller that names one is held to it.
            if asked.get("total") not in (None, total):
                raise Refused(422, f"total: these lines come to {total:.2f}")
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        return self.order(number)

    def reserve(self, number, line):
        sku, count = (line.get("sku"), line.get("count")) if isinstance(line, dict) else (None, None)
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10_000:
            raise Refused(422, "lines: a count is a whole number from 1 to 10000")
        item = self.db.execute("SELECT * FROM stock WHERE sku = ?", (sku,)).fetchone()
        if item is None:
            raise Refused(422, f"lines: there is no item {sku!r}")
        if item["on_hand"] < count:
            raise Refused(409, f"{sku}: {count} are asked for and {item['on_hand']} are there")
        self.db.execute("UPDATE stock SET on_hand = on_hand - ? WHERE sku = ?", (count, sku))
        self.db.execute("INSERT INTO lines VALUES (?, ?, ?, ?)", (number, sku, count, item["price_cents"]))

    def told(self, row):
        lines = self.db.execute("SELECT sku, count, price_cents FROM lines WHERE order_id = ?", (row["id"],)).fetchall()
        total = sum(line["count"] * line["price_cents"] for line in lines)
        return {
            "id": row["id"],
            "customer": row["customer"],
            "status": row["status"],
            "ordered_on": row["ordered_on"],
            "lines": [{"sku": line["sku"], "count": line["count"], "price": line["price_cents"] / 100} for line in lines],
            "total": total / 100,
        }


def stocked(row):
    return {"sku": row["sku"], "name": row["name"], "on_hand": row["on_hand"], "price": row["price_cents"] / 100}


def handler(erp, token):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, method):
            # Read whatever happens: the next request begins behind it.
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                proof = self.headers.get("Authorization") or ""
                if token and not hmac.compare_digest(proof.encode(), f"Bearer {token}".encode()):
                    raise Refused(401, "the token is missing or wrong")
                status, told = self.route(method, body)
            except Refused as refused:
                status, told = refused.status, {"error": str(refused)}
            text = json.dumps(told, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if method != "HEAD":
                self.wfile.write(text)

        def route(self, method, body):
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            number = re.fullmatch(r"/orders/(\d{1,9})", url.path)
            with erp.lock:
                if url.path == "/":
                    return 200, {"name": "ERP example"}
                if (method, url.path) == ("GET", "/stock"):
                    return 200, erp.stock(query)
                if (method, url.path) == ("GET", "/orders"):
                    return 200, erp.orders(query)
                if method == "GET" and number:
                    return 200, erp.order(int(number[1]))
                if (method, url.path) == ("POST", "/orders"):
                    return 201, erp.create(self.json(body))
            raise Refused(404, f"there is nothing at {method} {url.path}")

        @staticmethod
        def json(body):
            try:
                asked = json.loads(body)
            except ValueError:
                raise Refused(400, "the body is no JSON") from None
            if not isinstance(asked, dict):
                raise Refused(400, "the body is no object")
            return asked

        def do_GET(self):
            self.answer("GET")

        def do_HEAD(self):
            self.answer("HEAD")

        def do_POST(self):
            self.answer("POST")

        def log_message(self, *_):
            pass

    return Handler


def main():
    flags = argparse.ArgumentParser(description="A small ERP to connect to.")
    flags.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    flags.add_argument("--data", default="erp.db", help="the SQLite file")
    flags = flags.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", flags.port), handler(Erp(flags.data), os.environ.get("ERP_TOKEN")))
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
