import json
import unittest

import app


def get(pet):
    event = {"routeKey": "GET /pets/{id}", "pathParameters": {"id": pet}}
    response = app.handler(event, None)
    return response["statusCode"], json.loads(response["body"])


class Pets(unittest.TestCase):
    def test_all(self):
        response = app.handler({"routeKey": "GET /pets"}, None)
        self.assertEqual(json.loads(response["body"]), app.PETS)

    def test_one(self):
        self.assertEqual(get("1"), (200, {"name": "Tom"}))
        self.assertEqual(get("9"), (404, {"message": "no such pet"}))
