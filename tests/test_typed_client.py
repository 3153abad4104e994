"""A typed client that is generated from the OpenAPI document holds a conversation and stores the order."""

import importlib
import json
import subprocess
import sys
from uuid import uuid4

import pytest

from tests.conftest import DOCUMENT, client_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Generate the client; a warning, as for a schema that the generator skips, is a failure. Return its modules by name."""
    directory = tmp_path_factory.mktemp("client")
    (directory / "openapi.json").write_text(json.dumps(DOCUMENT))
    (directory / "config.yaml").write_text("post_hooks: []\n")  # nothing formats what is only run
    arguments = ["generate", "--path", "openapi.json", "--output-path", "shop_client", "--meta", "none", "--config", "config.yaml"]
    command = [sys.executable, "-m", "openapi_python_client", *arguments, "--fail-on-warning"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(directory))
    yield lambda name: importlib.import_module(f"shop_client.{name}")
    sys.path.remove(str(directory))


async def test_a_generated_client_orders_answers_a_question_stores_and_cancels(generated, state):
    models, order_id = generated("models"), uuid4()
    take_order, put_order = generated("api.voice.take_order").asyncio, generated("api.voice.put_order").asyncio
    list_orders, cancel_order = generated("api.voice.list_orders").asyncio, generated("api.voice.cancel_order").asyncio
    async with client_of(state) as http:
        client = generated("client").Client(base_url="http://voice.test").set_async_httpx_client(http)
        asked = models.OrderRequest(menu="quan-nha", text="two milk teas with pearls and less sugar")
        first = (await take_order(client=client, body=asked)).data
        assert [(question.kind.value, question.group) for question in first.questions] == [("ambiguous", "topping")]
        conversation = {name: first.to_dict()[name] for name in ("lines", "questions", "changes", "notes")}
        answer = models.OrderRequest.from_dict({"menu": "quan-nha", "text": "black pearls", **conversation})
        second = (await take_order(client=client, body=answer)).data
        assert second.status.value == "open"
        (line,) = second.lines
        assert (line.item, line.quantity, {option.choice for option in line.options}) == (
            "tra-sua-truyen-thong",
            2,
            {"black-pearls", "half"},
        )
        order = models.StoreOrderRequest.from_dict({"menu": second.menu, "lines": second.to_dict()["lines"]})
        stored = (await put_order(client=client, order_id=order_id, body=order)).data
        assert (stored.total, stored.order_id) == (second.total, str(order_id))
        cancelled = (await cancel_order(client=client, order_id=order_id, reason="Sold out.")).data
        assert cancelled.cancelled.reason == "Sold out."
        listed = (await list_orders(client=client, status=models.ListOrdersStatus.CANCELLED, limit=200)).data
        assert listed.orders[-1] == cancelled
        failure = await put_order(client=client, order_id=order_id, body=models.StoreOrderRequest.from_dict({"menu": "moon", "lines": []}))
        assert isinstance(failure, models.ValidationFailedFailure | models.MenuNotFoundFailure)
