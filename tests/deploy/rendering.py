"""Renders and checks the files of `deploy`, with Helm's and Kubernetes' own rules.

    python -m tests.deploy.rendering

It runs with the libraries of `requirements/functions/kubernetes.txt`, which must not share our
environment. Stdin is a JSON document with the values to render, and Compose files; the results are
printed as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "lambent"
RELEASES = ("1.30", "1.37")
"""Of Kubernetes: the oldest and the newest that are checked."""


def render(values: dict[str, Any]) -> dict[str, Any]:
    """Lint and render the chart; returns the documents by kind and name, and what is wrong."""
    import helm_python as helm
    import kubernetes_validate
    import yaml

    try:
        linted = helm.lint(str(CHART), values=values, strict=True)
        rendered = helm.Chart.load(str(CHART)).render(values, name="x", namespace="n")
    except helm.HelmError as error:
        return {"refused": str(error)}
    wrong, documents = [str(error) for error in linted["errors"]], {}
    for name, text in rendered.items():
        if name.endswith(".txt"):
            continue
        for document in filter(None, yaml.safe_load_all(text)):
            documents[f"{document['kind']} {document['metadata']['name']}"] = document
            if document["apiVersion"].startswith("postgresql.cnpg.io"):
                continue  # A resource of an operator, of which Kubernetes has no schema.
            for release in RELEASES:
                try:
                    kubernetes_validate.validate(document, release, strict=True)
                except kubernetes_validate.ValidationError as error:
                    wrong.append(f"{release}: {document['kind']}: {error.message}")
    return {"wrong": wrong, "documents": documents}


def check_compose(text: str) -> str:
    """What is wrong with a Compose file, by the Compose specification; empty if nothing is."""
    import compose_spec

    options = compose_spec.PyOptions()
    options.apply_merge = True
    try:
        options.from_yaml(text).validate()
    except ValueError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read())
    charts = [render(values) for values in asked["charts"]]
    print(json.dumps({"charts": charts, "compose": [*map(check_compose, asked["compose"])]}))
