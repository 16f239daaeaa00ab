import unittest

import app


class Report(unittest.TestCase):
    def test_a_report(self):
        self.assertEqual(app.handler({"kind": "daily"}, None), {"made": "daily"})
