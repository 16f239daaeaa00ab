"""Web frameworks, unmodified: the same small shop in five of them, behind every kind of front
door, with the same answers."""

from collections.abc import Callable

import pytest
import requests

from tests.packages import package
from tests.platforms import Platform

from .fronts import create, function_url, http_api, rest_api

FASTAPI = """
from typing import Annotated
from fastapi import Cookie, FastAPI, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from mangum import Mangum

app = FastAPI()

@app.get("/items/{item}")
def read(item: str, q: Annotated[list[str], Query()] = []):
    return {"item": item, "q": q}

@app.post("/login")
def login(user: str = Form()):
    answer = RedirectResponse("me", status_code=303)
    answer.set_cookie("user", user, path="/")
    answer.set_cookie("theme", "dark", path="/")
    return answer

@app.get("/me")
def me(user: str = Cookie(default=""), theme: str = Cookie(default="")):
    return {"user": user, "theme": theme}

@app.put("/turn")
async def turn(request: Request):
    return Response((await request.body())[::-1], media_type="application/octet-stream")

@app.get("/teapot")
def teapot():
    return Response("short and stout", 418, {"X-Kettle": "no"})

handler = Mangum(app, lifespan="off")
"""

FLASK = """
from apig_wsgi import make_lambda_handler
from flask import Flask, jsonify, redirect, request

app = Flask(__name__)

@app.get("/items/<item>")
def read(item):
    return jsonify(item=item, q=request.args.getlist("q"))

@app.post("/login")
def login():
    answer = redirect("me", 303)
    answer.set_cookie("user", request.form["user"])
    answer.set_cookie("theme", "dark")
    return answer

@app.get("/me")
def me():
    return jsonify(user=request.cookies.get("user", ""), theme=request.cookies.get("theme", ""))

@app.put("/turn")
def turn():
    return request.get_data()[::-1], 200, {"Content-Type": "application/octet-stream"}

@app.get("/teapot")
def teapot():
    return "short and stout", 418, {"X-Kettle": "no"}

handler = make_lambda_handler(app, binary_support=True)
"""

DJANGO = """
import django
from apig_wsgi import make_lambda_handler
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="for tests", ALLOWED_HOSTS=["*"])

def read(request, item):
    return JsonResponse({"item": item, "q": request.GET.getlist("q")})

def login(request):
    answer = HttpResponseRedirect("me", status=303)
    answer.set_cookie("user", request.POST["user"])
    answer.set_cookie("theme", "dark")
    return answer

def me(request):
    cookies = request.COOKIES
    return JsonResponse({"user": cookies.get("user", ""), "theme": cookies.get("theme", "")})

def turn(request):
    return HttpResponse(request.body[::-1], content_type="application/octet-stream")

def teapot(request):
    return HttpResponse("short and stout", status=418, headers={"X-Kettle": "no"})

urlpatterns = [
    path("items/<str:item>", read), path("login", login), path("me", me), path("turn", turn),
    path("teapot", teapot),
]
handler = make_lambda_handler(get_wsgi_application(), binary_support=True)
"""

HONO = """
import { Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { handle } from "hono/aws-lambda";

const app = new Hono();

app.get("/items/:item", (c) => c.json({ item: c.req.param("item"), q: c.req.queries("q") ?? [] }));

app.post("/login", async (c) => {
  const { user } = await c.req.parseBody();
  setCookie(c, "user", user);
  setCookie(c, "theme", "dark");
  return c.redirect("me", 303);
});

app.get("/me", (c) => {
  const { user = "", theme = "" } = getCookie(c);
  return c.json({ user, theme });
});

app.put("/turn", async (c) => {
  const data = new Uint8Array(await c.req.arrayBuffer()).reverse();
  return c.body(data, 200, { "Content-Type": "application/octet-stream" });
});

app.get("/teapot", (c) => c.text("short and stout", 418, { "X-Kettle": "no" }));

export const handler = handle(app);
"""

EXPRESS = """
import express from "express";
import serverlessExpress from "@codegenie/serverless-express";

const app = express(), octets = "application/octet-stream";
app.use(express.urlencoded({ extended: false }));
app.use(express.raw({ type: octets, limit: "6mb" }));

app.get("/items/:item", (request, response) => {
  response.json({ item: request.params.item, q: [request.query.q ?? []].flat() });
});

app.post("/login", (request, response) => {
  response.cookie("user", request.body.user).cookie("theme", "dark").redirect(303, "me");
});

app.get("/me", (request, response) => {
  const cookies = new Map((request.headers.cookie ?? "").split(/; */).map((c) => c.split("=")));
  response.json({ user: cookies.get("user") ?? "", theme: cookies.get("theme") ?? "" });
});

app.put("/turn", (request, response) => {
  response.type(octets).send(Buffer.from(request.body).reverse());
});

app.get("/teapot", (request, response) => {
  response.status(418).set("X-Kettle", "no").type("text").send("short and stout");
});

// The adapter's sockets are not good enough for Express's own response to a path that has no route.
app.use((request, response) => {
  response.status(404).send("nothing");
});

export const handler = serverlessExpress({ app, binarySettings: { contentTypes: [octets] } });
"""

NODE = {"Runtime": "nodejs20.x"}
FRAMEWORKS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "fastapi": ("web", "app.py", FASTAPI, {}),
    "flask": ("web", "app.py", FLASK, {}),
    "django": ("django", "app.py", DJANGO, {}),
    "hono": ("node", "app.mjs", HONO, NODE),
    "express": ("node", "app.mjs", EXPRESS, NODE),
}
"""Each with its group of packages, its source, and what its function needs."""
DOORS: dict[str, Callable[[Platform, str, str], str]] = {
    "HTTP API, format 2.0": lambda platform, _, arn: http_api(platform, arn),
    "HTTP API, format 1.0": lambda platform, _, arn: http_api(platform, arn, "1.0"),
    "REST API": lambda platform, _, arn: rest_api(platform, arn),
    "function URL": lambda platform, name, _: function_url(platform, name),
}
DATA = bytes(range(256)) * 100


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_behind_every_door(
    platform: Platform, browser: requests.Session, framework: str
) -> None:
    """Paths with percent escapes, repeated parameters, forms, two cookies over a redirect, binary
    bodies both ways, statuses and headers."""
    group, file, source, options = FRAMEWORKS[framework]
    name = f"shop-{framework}"
    arn = create(platform, name, package(group, source, file), **options)
    for door, opened in DOORS.items():
        check_shop(browser, opened(platform, name, arn), door)


def check_shop(browser: requests.Session, url: str, door: str) -> None:
    """Use the shop at this address."""
    read = browser.get(f"{url}/items/a%20b?q=1%262&q=%2B", timeout=60)
    assert read.json() == {"item": "a b", "q": ["1&2", "+"]}, door
    browser.cookies.clear()
    after = browser.post(f"{url}/login", data={"user": "ann"}, timeout=60)
    assert (after.url, after.status_code) == (f"{url}/me", 200), door
    assert after.json() == {"user": "ann", "theme": "dark"}, door
    octets = {"Content-Type": "application/octet-stream", "Accept": "*/*"}
    turned = browser.put(f"{url}/turn", data=DATA, headers=octets, timeout=60)
    assert turned.content == DATA[::-1], door
    teapot = browser.get(f"{url}/teapot", timeout=60)
    assert (teapot.status_code, teapot.headers["X-Kettle"]) == (418, "no"), door
    assert teapot.text == "short and stout", door
    assert browser.get(f"{url}/nothing/here", timeout=60).status_code == 404, door
    assert browser.head(f"{url}/teapot", timeout=60).content == b"", door
