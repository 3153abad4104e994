"""An order is taken by chat completions: with the client of the OpenAI API, with curl, and with what each platform sends."""

import json
import re
import subprocess
from typing import Any
from uuid import UUID

import pytest

from tests.adapters.conftest import BEARER, CHAT, KEY, MENU
from tests.conftest import client_of

pytestmark = pytest.mark.anyio
FIELDS = ("order_id", "lines", "total")
PLACE_ORDER = {"name": "place_order", "parameters": {"type": "object", "properties": {name: {} for name in FIELDS}}}
TOOLS = [{"type": "function", "function": PLACE_ORDER}]
DONE = ("two large milk teas with black pearls", "no that's all")


class Conversation:
    """A client that keeps the messages, as every platform does."""

    def __init__(self, sdk, *, is_streamed=False, **fields):
        self.sdk, self.is_streamed, self.fields = sdk, is_streamed, fields
        self.messages = [{"role": "system", "content": "You take orders."}]

    def say(self, utterance):
        """Return the reply to an utterance, and the order that it has."""
        return self.send({"role": "user", "content": utterance})

    def send(self, message):
        self.messages.append(message)
        reply, order = (self._streamed if self.is_streamed else self._whole)()
        self.messages.append(reply)
        return reply, order

    def _whole(self):
        completion = self.sdk.chat.completions.create(model=MENU, messages=self.messages, **self.fields)
        assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens
        (choice,) = completion.choices
        assert choice.finish_reason == ("tool_calls" if choice.message.tool_calls else "stop")
        return choice.message.model_dump(exclude_none=True), completion.model_extra["order"]

    def _streamed(self):
        options = {"include_usage": True}
        *chunks, last, usage = self.sdk.chat.completions.create(
            model=MENU, messages=self.messages, stream=True, stream_options=options, **self.fields
        )
        assert (usage.choices, usage.usage.prompt_tokens > 0) == ([], True)
        assert len({chunk.id for chunk in [*chunks, last, usage]}) == 1
        deltas = [chunk.choices[0].delta for chunk in chunks]
        calls = [call for delta in deltas for call in delta.tool_calls or ()]
        assert all(not delta.content for delta in deltas if delta.tool_calls)
        assert last.choices[0].finish_reason == ("tool_calls" if calls else "stop")
        reply = {"role": deltas[0].role, "content": "".join(delta.content or "" for delta in deltas)}
        if calls:
            reply["tool_calls"] = [call.model_dump(exclude={"index"}) for call in calls]
        return reply, last.model_extra["order"]


@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_client_takes_an_order_and_gets_it_as_a_field(sdk, is_streamed):
    conversation = Conversation(sdk, is_streamed=is_streamed)
    reply, order = conversation.say("hi, two large milk teas with pearls")
    assert (order["status"], [question["kind"] for question in order["questions"]]) == ("asking", ["ambiguous"])
    assert reply["content"] == order["say"]["text"]
    conversation.say("the black ones please")
    _, order = conversation.say("no that's all")
    assert (order["status"], "order_id" in order) == ("confirming", False)
    reply, order = conversation.say("yes")
    assert (order["status"], order["total"], reply["content"]) == ("confirmed", 108000, order["say"]["text"])
    assert UUID(order["order_id"])


@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_client_gets_the_order_as_a_call_of_its_tool(sdk, is_streamed):
    conversation = Conversation(sdk, is_streamed=is_streamed, tools=TOOLS, user="an-end-user")
    for utterance in DONE:
        assert "tool_calls" not in conversation.say(utterance)[0]
    reply, order = conversation.say("yes")
    (call,) = reply["tool_calls"]
    arguments = json.loads(call["function"]["arguments"])
    assert call["function"]["name"] == "place_order"
    assert arguments == {name: order[name] for name in FIELDS}
    reply, _ = conversation.send({"role": "tool", "tool_call_id": call["id"], "content": "accepted"})
    assert reply["content"].startswith("Thank you!")

    conversation.say("oh, and one latte")
    conversation.say("that's it")
    reply, order = conversation.say("yes")
    assert [line["item"] for line in order["lines"]] == ["tra-sua-truyen-thong", "latte"]
    assert (order["replaces"], order["order_id"] != order["replaces"]) == (arguments["order_id"], True)


def test_the_order_can_be_stored_as_it_comes(sdk):
    conversation = Conversation(sdk, extra_body={"metadata": {"session_id": "call-7", "customer_id": "12"}})
    for utterance in DONE:
        conversation.say(utterance)
    _, order = conversation.say("yes")
    body = {name: order[name] for name in ("menu", "lines", "notes", "customer_id")}
    url = str(sdk.base_url).replace("/v1/", f"/api/v1/voice/order/{order['order_id']}")
    stored = sdk._client.put(url, json=body, headers=BEARER)  # noqa: SLF001 - any client of HTTP would do
    assert (stored.status_code in {200, 201}, stored.json()["data"]["total"], stored.json()["data"]["customer_id"]) == (True, 108000, 12)


def test_curl_receives_events(hearing_server):
    body = {"model": MENU, "stream": True, "messages": [{"role": "user", "content": "xin chào"}], "metadata": {"language": "vi"}}
    request = ["curl", "-si", f"{hearing_server.url}{CHAT}", "--json", json.dumps(body), "-H", f"Authorization: Bearer {KEY}"]
    reply = subprocess.run(request, capture_output=True, check=True).stdout.decode()  # noqa: S603
    head, events = reply.split("\r\n\r\n", 1)
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "content-type: text/event-stream" in head
    start = r'data: {"id":"chatcmpl-\w+","object":"chat.completion.chunk","created":\d+,"model":"quan-nha","choices":\[{"index":0,"delta":'
    deltas = [r'{"role":"assistant","content":""},"finish_reason":null}\]}', r'{"content":"[^"]+\?"},"finish_reason":null}\]}']
    end = r'{},"finish_reason":"stop"}\],"order":{"menu":.*}}'
    assert re.fullmatch("".join(rf"{start}{delta}\n\n" for delta in [*deltas, end]) + r"data: \[DONE\]\n\n", events), events


# --- What platforms send ------------------------------------------------------------------------------------------------------------


async def complete(state, *utterances, headers=(), path=CHAT, **body):
    """Send the utterances of a customer with the replies that the service gives; return the last reply."""
    messages, reply = [], {}
    async with client_of(state, headers={**BEARER, **dict(headers)}) as client:
        for utterance in utterances:
            messages.append({"role": "user", "content": utterance} if isinstance(utterance, str) else utterance)
            response = await client.post(path, json={"model": MENU, "messages": messages, **body})
            assert response.status_code == 200, response.text
            reply = response.json()
            messages.append(reply["choices"][0]["message"])
    return reply


FACTS: dict[str, dict[str, Any]] = {
    "vapi": {"call": {"id": "c1", "type": "inboundPhoneCall"}, "customer": {"number": "+849"}, "metadata": {"language": "vi"}},
    "vapi with its metadata at the top": {"call": {"id": "c1", "customer": {"number": "+849"}}, "language": "vi-VN"},
    "elevenlabs": {"elevenlabs_extra_body": {"conversation_id": "c1", "caller_number": "+849", "language": "vi"}, "user_id": "u1"},
    "livekit": {"metadata": {"session_id": "c1", "number": "+849", "language": "vi"}, "user": "u1"},
    "home assistant": {"metadata": {"session_id": "c1"}, "user": "u1", "language": "vi", "caller_number": "+849"},
}


@pytest.mark.parametrize("platform", FACTS)
async def test_the_facts_of_a_call_are_read_where_each_platform_puts_them(state, platform):
    order = (await complete(state, "hello", **FACTS[platform]))["order"]
    assert (order["call"]["id"], order["call"]["number"]) == ("c1", "+849")
    assert order["say"]["language"] == "vi"
    assert order["call"]["user"] == (FACTS[platform].get("user") or FACTS[platform].get("user_id"))


async def test_a_header_names_the_call_before_all_others(state):
    order = (await complete(state, "hello", headers={"X-Session-Id": "c2"}, call={"id": "c1"}))["order"]
    assert order["call"]["id"] == "c2"


async def test_the_same_call_gets_the_same_order_id_and_another_call_another(state):
    ids = [(await complete(state, *DONE, "yes", call={"id": call}))["order"]["order_id"] for call in ("a", "a", "b")]
    assert (ids[0] == ids[1], ids[0] == ids[2]) == (True, False)
    unknown = [(await complete(state, *DONE, "yes"))["order"]["order_id"] for _ in range(2)]
    assert unknown[0] != unknown[1]


@pytest.mark.parametrize(("number", "customer_id"), [("12", 12), (12, 12), ("0", None), ("many", None), ([12], None), ({"a": 1}, None)])
async def test_a_customer_is_known_by_a_number(state, number, customer_id):
    for body in ({"user": number}, {"metadata": {"customer_id": number}}):
        assert (await complete(state, "hello", **body))["order"]["customer_id"] == customer_id


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": [1], "call": "c1", "customer": None, "user": {"a": [1]}, "tools": "x", "functions": {}, "stream_options": 3},
        {"elevenlabs_extra_body": {"language": ["vi"]}, "tools": [1, {"function": 2}, {"function": {"name": 3}}], "tool_choice": ["x"]},
        {"temperature": "hot", "n": 7, "logprobs": True, "unknown": {"deep": [{}]}, "stream": "maybe", "metadata": {"at": "soon"}},
    ],
)
async def test_fields_of_another_type_than_expected_are_left_out(state, body):
    assert (await complete(state, "two lattes", **body))["order"]["lines"][0]["quantity"] == 2


async def test_a_message_may_have_parts_and_nothing_else_of_it_is_read(state):
    parts = [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "x"}}, 7, {"type": "text", "text": "lattes"}]
    order = (await complete(state, {"role": "user", "content": parts, "name": "x", "audio": {}}))["order"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("latte", 2)]


async def send(state, messages, **body):
    """Send messages; return the message of the reply and the order."""
    async with client_of(state, headers=BEARER) as client:
        response = await client.post(CHAT, json={"model": MENU, "messages": messages, **body})
    return response.json()["choices"][0]["message"], response.json()["order"]


def user(text):
    return {"role": "user", "content": text}


async def test_messages_without_a_reply_in_between_are_one_utterance(state):
    _, order = await send(state, [user("two large"), {"role": "assistant", "content": " "}, user("milk teas")])
    assert [(line["item"], line["quantity"], line["options"][0]["choice"]) for line in order["lines"]] == [("tra-sua-truyen-thong", 2, "l")]
    _, order = await send(state, [user("two lattes"), {"role": "assistant", "content": "Anything else?"}, user("one more latte")])
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("latte", 3)]


async def test_instructions_change_nothing_and_the_shop_greets_who_has_not_spoken(state):
    instructions = [{"role": role, "content": "two lattes"} for role in ("system", "developer", "unknown", "tool")]
    message, order = await send(state, instructions, metadata={"language": "en"})
    assert (message["content"], order["lines"]) == ("Hi there! What can I get you?", [])


async def test_noise_is_no_turn_that_orders(state):
    message, order = await send(state, [user("two lattes"), {"role": "assistant", "content": "Anything else?"}, user("\n ")])
    assert order["act"] == "none"
    assert order["lines"][0]["quantity"] == 2
    assert message["content"]


async def confirmed(state, *further, **body):
    """Return the reply to a customer who has confirmed an order."""
    messages = []
    for utterance in (*DONE, "yes"):
        messages.append(user(utterance))
        message, order = await send(state, messages, **body)
        if order["status"] != "confirmed":
            messages.append(message)
    return await send(state, [*messages, *further], **body)


async def test_the_legacy_form_of_a_tool_is_called_in_its_form(state):
    message, _ = await confirmed(state, functions=[PLACE_ORDER])
    assert message["content"] is None
    assert message["function_call"]["name"] == "place_order"
    assert set(json.loads(message["function_call"]["arguments"])) == set(FIELDS)
    result = {"role": "function", "name": "place_order", "content": "{}"}
    message, _ = await confirmed(state, message, result, functions=[PLACE_ORDER])
    assert "function_call" not in message


@pytest.mark.parametrize(
    "body", [{"tools": TOOLS, "tool_choice": "none"}, {"tools": [{"type": "function", "function": {"name": "other"}}]}]
)
async def test_a_tool_that_may_not_be_called_is_not_called(state, body):
    message, order = await confirmed(state, **body)
    assert (message["content"], order["status"]) == (order["say"]["text"], "confirmed")


async def test_a_tool_that_declares_no_fields_gets_them_all(state):
    tools = [{"type": "function", "function": {"name": "place_order"}}]
    message, order = await confirmed(state, tools=tools, call={"id": "c1"})
    arguments = json.loads(message["tool_calls"][0]["function"]["arguments"])
    names = ("order_id", "replaces", "menu", "lines", "notes", "total", "currency", "customer_id", "call")
    assert arguments == {name: order[name] for name in names}


async def test_a_tool_can_say_what_it_made_of_the_order(state):
    call = {"id": "c", "type": "function", "function": {"name": "place_order", "arguments": "{"}}
    called = {"role": "assistant", "content": None, "tool_calls": [call]}
    for content, said in (
        ('{"say": "The kitchen is closed."}', "The kitchen is closed."),
        ('{"say": 3}', None),
        ("[" * 9000, None),
        ("", None),
    ):
        message, order = await confirmed(state, called, {"role": "tool", "tool_call_id": "c", "content": content}, tools=TOOLS)
        assert message["content"] == (said or order["say"]["text"])


async def test_an_order_that_was_placed_is_cancelled_by_a_tool(state):
    tools = [*TOOLS, {"type": "function", "function": {"name": "cancel_order", "parameters": {"properties": {"order_id": {}}}}}]
    called, order = await confirmed(state, tools=tools)
    goodbye = [called, {"role": "tool", "tool_call_id": "c", "content": "ok"}, {"role": "assistant", "content": order["say"]["text"]}]
    message, cancelled = await confirmed(state, *goodbye, user("cancel the whole order"), tools=tools)
    (call,) = message["tool_calls"]
    assert (cancelled["status"], call["function"]["name"]) == ("cancelled", "cancel_order")
    placed = json.loads(called["tool_calls"][0]["function"]["arguments"])["order_id"]
    assert json.loads(call["function"]["arguments"]) == {"order_id": placed}
    further = [*goodbye, user("cancel the whole order"), message, {"role": "assistant", "content": "Fine."}]
    for utterance in ("two lattes", "that's all"):
        message, _ = await confirmed(state, *further, user(utterance), tools=tools)
        further += [user(utterance), message]
    _, order = await confirmed(state, *further, user("yes"), tools=tools)
    assert (order["status"], order["replaces"]) == ("confirmed", None)

    message, order = await send(
        state, [user("two lattes"), {"role": "assistant", "content": "More?"}, user("cancel the order")], tools=tools
    )
    assert (order["status"], message["content"]) == ("cancelled", order["say"]["text"])


async def test_a_customer_who_wants_a_person_is_handed_off_by_a_tool(state):
    tools = [{"type": "function", "function": {"name": "hand_off", "parameters": {"properties": {"lines": {}}}}}]
    message, order = await send(state, [user("a human please")], tools=tools)
    assert order["status"] == "handoff"
    assert message["tool_calls"][0]["function"] == {"name": "hand_off", "arguments": '{"lines":[]}'}
    message, order = await send(state, [user("a human please")])
    assert message["content"] == order["say"]["text"]


async def test_the_path_may_come_twice(state):
    assert (await complete(state, "hello", path=CHAT + "/chat/completions"))["object"] == "chat.completion"


async def test_an_unknown_menu_and_missing_fields_are_named(state):
    async with client_of(state, headers=BEARER) as client:
        for body, status, param in (
            ({"model": "gpt-5", "messages": []}, 404, "model"),
            ({"model": "a b", "messages": []}, 422, "model"),
            ({"messages": []}, 422, "model"),
            ({"model": MENU}, 422, "messages"),
            ({"model": MENU, "messages": [3]}, 422, "messages.0"),
            ({"model": MENU, "messages": [{"role": 1, "content": "x"}]}, 422, "messages.0.role"),
            ({"model": MENU, "messages": [{"role": "user", "content": "a" * 2001}]}, 422, "messages.0.content"),
        ):
            error = (await client.post(CHAT, json=body)).json()["error"]
            assert (error["param"], error["code"]) == (param, {404: "MENU_NOT_FOUND", 422: "VALIDATION_FAILED"}[status])
