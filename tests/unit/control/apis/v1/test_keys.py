"""API keys are secrets."""

import logging

import pytest

from lambent.control.apis.kinds import Draft
from lambent.control.apis.v1.kinds import KINDS
from lambent.model.document import Document, Root
from lambent.model.errors import ApiError
from lambent.store.store import Store, Transaction

from .conftest import HERE, Call

pytestmark = pytest.mark.anyio
VALUE = "secret-value-of-a-key"
ROOT = Root("apigateway", *HERE, "")


async def test_values_are_in_no_log_and_no_error(
    call: Call, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor in the representation of a document."""
    caplog.set_level(logging.DEBUG)
    key = await call("CreateApiKey", name="k", value=VALUE)
    with pytest.raises(ApiError) as caught:
        await call("CreateApiKey", name="other", value=VALUE)
    patches = [{"op": "replace", "path": "/value", "value": VALUE + "2"}]
    with pytest.raises(ApiError) as refused:
        await call("UpdateApiKey", apiKey=key["id"], patchOperations=patches)
    texts = [str(caught.value), repr(refused.value), caplog.text]

    def show(tx: Transaction) -> str:
        document = tx.documents.get(ROOT, "api_key", key["id"])
        assert document is not None
        assert document.body["value"] == VALUE
        draft = Draft(tx, ROOT, key["id"], document.body, document.body, {})
        return repr(document) + repr(draft)

    texts.append(await store.read(show))
    assert not any(VALUE in text for text in texts)
    assert "value" not in await call("GetApiKey", apiKey=key["id"])
    assert "value" not in (await call("GetApiKeys"))["items"][0]
    assert "value" not in (await call("UpdateApiKey", apiKey=key["id"]))


async def test_values_that_are_made_cannot_be_guessed(call: Call) -> None:
    """They are long and different."""
    made = {(await call("CreateApiKey"))["value"] for _ in range(5)}
    assert len(made) == 5
    assert all(len(value) == 40 for value in made)


async def test_a_key_is_in_one_plan_of_a_stage(call: Call) -> None:
    """Otherwise it would be unclear whose limits count."""
    api = await call("CreateRestApi", name="a")
    at = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    await call("PutMethod", **at, authorizationType="NONE")
    await call("PutIntegration", **at, type="MOCK")
    await call("CreateDeployment", restApiId=api["id"], stageName="dev")
    stages = [{"apiId": api["id"], "stage": "dev"}]
    key = (await call("CreateApiKey"))["id"]
    first = (await call("CreateUsagePlan", name="1", apiStages=stages))["id"]
    second = (await call("CreateUsagePlan", name="2"))["id"]
    for plan in (first, second):
        await call("CreateUsagePlanKey", usagePlanId=plan, keyId=key, keyType="API_KEY")
    add = [{"op": "add", "path": "/apiStages", "value": f"{api['id']}:dev"}]
    with pytest.raises(ApiError) as caught:
        await call("UpdateUsagePlan", usagePlanId=second, patchOperations=add)
    assert caught.value.code == "ConflictException"
    await call("DeleteRestApi", restApiId=api["id"])
    assert not (await call("GetUsagePlan", usagePlanId=first)).get("apiStages")
    await call("DeleteApiKey", apiKey=key)
    assert (await call("GetUsagePlanKeys", usagePlanId=first))["items"] == []


def test_kinds_of_secrets_are_known() -> None:
    """A document's representation says which one it is."""
    document = Document(ROOT, "api_key", "abc", {"value": VALUE})
    assert "api_key" in KINDS
    assert "abc" in repr(document)
    assert VALUE not in repr(document)
