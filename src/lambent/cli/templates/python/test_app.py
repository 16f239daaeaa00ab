import unittest

import app


class Greeting(unittest.TestCase):
    def test_a_name(self):
        self.assertEqual(app.handler({"name": "Ada"}, None), {"greeting": "Hello Ada"})
