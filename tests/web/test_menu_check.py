"""The page for menus asks the service for faults and doubts."""

import json

import pytest

from tests.conftest import CLIENT_KEYS, client_of

pytestmark = pytest.mark.anyio
CHECK = "/api/v1/try/menu"
HEAD = "id: m\nname: M\ncurrency: USD\nlanguages: [en]\n"


async def test_faults_have_line_and_column_and_what_to_write_instead(client):
    items = "items:\n  tea: {name: Tea, price: 4.50}\n  bun: {price: 300}\n"
    faults = (await client.post(CHECK, json={"text": HEAD + items})).json()["data"]
    assert [(fault["line"], fault["column"]) for fault in faults["faults"]] == [(6, 27), (7, 8)]
    assert "450, in cents" in faults["faults"][0]["msg"]
    assert faults["menu"] is None


async def test_a_menu_without_faults_comes_with_its_doubts_and_as_json(client):
    items = "items:\n  tea: {name: Tea, price: 300}\n  two: {name: Two, price: 300}\n"
    checked = (await client.post(CHECK, json={"text": HEAD + items})).json()["data"]
    assert checked["faults"] == []
    assert [(doubt["line"], doubt["is_note"], "number" in doubt["msg"]) for doubt in checked["doubts"]] == [(7, False, True)]
    assert checked["menu"]["items"]["two"] == {"name": "Two", "price": 300}


@pytest.mark.parametrize("text", ["", "\t", "a: [", "- 1", "\udcff", "&a [*a, *a]" * 10])
async def test_any_text_is_answered_by_faults(client, text):
    reply = await client.post(CHECK, content=json.dumps({"text": text}), headers={"Content-Type": "application/json"})
    assert reply.status_code in {200, 400, 422}
    assert reply.status_code != 200 or reply.json()["data"]["faults"]


async def test_only_who_may_change_menus_may_check_them(state, stranger):
    async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as without:
        assert (await without.post(CHECK, json={"text": ""})).status_code == 403
    assert (await stranger.post(CHECK, json={"text": ""})).status_code == 401
