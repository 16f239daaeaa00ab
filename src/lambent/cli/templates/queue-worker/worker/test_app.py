import json
import unittest

import app


def batch(*bodies):
    return {"Records": [{"body": body} for body in bodies]}


class Worker(unittest.TestCase):
    def test_a_batch(self):
        self.assertIsNone(app.handler(batch(json.dumps({"id": 1})), None))

    def test_a_job_without_id(self):
        with self.assertRaises(KeyError):
            app.handler(batch("{}"), None)
