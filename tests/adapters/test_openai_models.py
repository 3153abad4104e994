"""The menus are listed as models."""

import openai
import pytest

from tests.adapters.conftest import BEARER, MENU
from tests.conftest import client_of

pytestmark = pytest.mark.anyio


def test_the_client_lists_the_menus_and_the_recogniser(sdk):
    assert [model.id for model in sdk.models.list()] == [MENU, "whisper-1"]
    assert [sdk.models.retrieve(id_).id for id_ in (MENU, "whisper-1")] == [MENU, "whisper-1"]
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("gpt-5")


async def test_what_is_not_served_below_the_prefix_is_refused_in_the_form_of_the_protocol(state):
    async with client_of(state, headers=BEARER) as client:
        for method, path, status, code in (
            ("GET", "/v1/nope", 404, "NOT_FOUND"),
            ("DELETE", "/v1/models", 405, "METHOD_NOT_ALLOWED"),
            ("GET", "/v1/chat/completions", 405, "METHOD_NOT_ALLOWED"),
        ):
            reply = await client.request(method, path)
            assert (reply.status_code, reply.json()["error"]["code"], reply.json()["error"]["param"]) == (status, code, None)
        assert (await client.get("/v2/nope")).json()["code"] == 404
