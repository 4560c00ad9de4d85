"""The test of the plugin PLUGIN-NAME: python3 -m unittest"""
import json
import threading
import unittest
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer

import service


class Answers(unittest.TestCase):
    def setUp(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), service.Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def ask(self, path, asked):
        url = f"http://127.0.0.1:{self.server.server_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(asked).encode())) as answer:
            return json.load(answer)

    def test_words_and_characters_are_counted(self):
        self.assertEqual(self.ask("/count", {"text": "two 词"}), {"words": 2, "characters": 5})

    def test_what_is_not_there_is_said(self):
        with self.assertRaises(urllib.error.HTTPError) as told:
            self.ask("/nothing", {})
        self.assertEqual(told.exception.code, 404)
        told.exception.close()

    def test_every_operation_of_the_manifest_is_answered(self):
        with open("plugin.json", encoding="utf-8") as file:
            paths = json.load(file)["paths"]
        self.assertEqual(set(paths), set(service.OPERATIONS))


if __name__ == "__main__":
    unittest.main()
