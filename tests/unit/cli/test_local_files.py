"""Local files that a template names are built, packed and uploaded."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lambent.cli.local_files import send_local_files
from lambent.cli.output import UsageError
from tests.unit.cli import conftest


class Bucket:
    """Objects in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def upload(self, key: str, content: bytes) -> str:
        self.objects[key] = content
        return "artifacts"

    def files(self, key: str) -> dict[str, bytes]:
        """What is in a zip."""
        with zipfile.ZipFile(io.BytesIO(self.objects[key])) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def write(directory: Path, files: dict[str, str]) -> Path:
    """Files in a directory; returns the template."""
    return conftest.write(directory, files) / "template.yaml"


def send(template: Path, bucket: Bucket) -> dict[str, Any]:
    """The resources of the template that is sent."""
    sent = json.loads(send_local_files(template, bucket.upload, lambda _: None))
    resources: dict[str, Any] = sent["Resources"]
    return resources


def test_code_of_functions(tmp_path: Path, bucket: Bucket) -> None:
    """Of both kinds, also from the globals; what is in S3 already, or in the template, stays."""
    template = write(
        tmp_path,
        {
            "a/app.py": "handler = 1",
            "a/.env": "SECRET",
            "template.yaml": """
Globals: {Function: {CodeUri: a, Runtime: python3.12}}
Resources:
  Plain: {Type: AWS::Lambda::Function, Properties: {Code: ./a, Runtime: python3.12}}
  Inline: {Type: AWS::Lambda::Function, Properties: {Code: {ZipFile: code}}}
  Sam: {Type: AWS::Serverless::Function, Properties: {Handler: app.handler}}
  There: {Type: AWS::Serverless::Function, Properties: {CodeUri: s3://b/k}}
  Other: {Type: AWS::SNS::Topic}
""",
        },
    )
    resources = send(template, bucket)
    (key,) = bucket.objects
    assert bucket.files(key) == {"app.py": b"handler = 1"}
    assert resources["Plain"]["Properties"]["Code"] == {"S3Bucket": "artifacts", "S3Key": key}
    assert resources["Sam"]["Properties"]["CodeUri"] == f"s3://artifacts/{key}"
    assert resources["Inline"]["Properties"]["Code"] == {"ZipFile": "code"}
    assert resources["Other"] == {"Type": "AWS::SNS::Topic"}
    assert resources["There"]["Properties"]["CodeUri"] == "s3://b/k"


def test_files_and_nested_templates(tmp_path: Path, bucket: Bucket) -> None:
    """A definition is uploaded as it is, a nested template with its own local files."""
    template = write(
        tmp_path,
        {
            "api.yaml": "openapi: 3.0.1",
            "inner/code/index.js": "B",
            "inner/template.yaml": """
Resources:
  F: {Type: AWS::Lambda::Function, Properties: {Code: code, Runtime: nodejs22.x}}
""",
            "template.yaml": """
Resources:
  Api: {Type: AWS::Serverless::HttpApi, Properties: {DefinitionUri: api.yaml}}
  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: inner/template.yaml}}
""",
        },
    )
    resources = send(template, bucket)
    uri = resources["Api"]["Properties"]["DefinitionUri"]
    assert bucket.objects[uri.removeprefix("s3://artifacts/")] == b"openapi: 3.0.1"
    url = resources["Inner"]["Properties"]["TemplateURL"]
    assert url.startswith("https://s3.amazonaws.com/artifacts/")
    inner = json.loads(bucket.objects[url.rpartition("/")[2]])
    code = inner["Resources"]["F"]["Properties"]["Code"]
    assert bucket.files(code["S3Key"]) == {"index.js": b"B"}


def test_a_makefile_builds(tmp_path: Path, bucket: Bucket) -> None:
    """As SAM's `BuildMethod: makefile`."""
    template = write(
        tmp_path,
        {
            "code/Makefile": "build-F:\n\tcp app.txt $(ARTIFACTS_DIR)/built.txt\n",
            "code/app.txt": "C",
            "template.yaml": """
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: makefile}
    Properties: {CodeUri: code, Runtime: provided.al2023}
""",
        },
    )
    resources = send(template, bucket)
    key = resources["F"]["Properties"]["CodeUri"].removeprefix("s3://artifacts/")
    assert bucket.files(key) == {"built.txt": b"C"}
    assert not (tmp_path / "code" / "built.txt").exists()


def test_files_that_do_not_exist(tmp_path: Path, bucket: Bucket) -> None:
    resources = "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: gone}}}"
    template = write(tmp_path, {"template.yaml": resources})
    with pytest.raises(UsageError, match="F names gone, which does not exist"):
        send(template, bucket)


def test_nothing_is_uploaded_before_all_is_checked(tmp_path: Path, bucket: Bucket) -> None:
    """The second function has no handler, so the first is not uploaded either."""
    template = write(
        tmp_path,
        {
            "a/app.py": "handler = 1",
            "template.yaml": """
Resources:
  A: {Type: AWS::Lambda::Function, Properties: {Code: a, Runtime: python3.12, Handler: app.handler}}
  B: {Type: AWS::Lambda::Function, Properties: {Code: a, Runtime: python3.12, Handler: b.handler}}
""",
        },
    )
    with pytest.raises(UsageError, match=r"there is no b\.py"):
        send(template, bucket)
    assert bucket.objects == {}
