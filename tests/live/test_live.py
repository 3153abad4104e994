"""Ordering while speaking: a session by itself, and the whole way through a real socket and the real models."""

import asyncio
import contextlib
import itertools
import json
import re
import shutil
import signal
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from errors import ApiError, MenuNotFound, Overloaded, RateLimited
from schemas import LineRequest, LiveEnd, LiveLines, LiveOptions, Menu, OptionRequest
from settings import ROOT
from tests.conftest import CLIENT_KEYS, KEYS
from tests.servers import Server
from voice.asr import ctc_decoder
from voice.asr.audio import SAMPLE_RATE, RawStream, decode
from voice.asr.engine import DecodeJob
from voice.asr.scheduler import FairQueue, Job
from voice.asr.vad import FRAME_SAMPLES, Activity, speech_probabilities
from voice.asr.whisper import DRAFT_FRAMES, FULL_FRAMES, MIN_FRAMES
from voice.live.sessions import (
    MAX_CLIENT_BYTES,
    MAX_CONNECTIONS,
    MAX_UNSENT,
    MAX_WAITING_BYTES,
    SENSE_WORDS,
    STEP_S,
    LiveSessions,
    Session,
    VietnameseDecoder,
    WhisperDecoder,
    go_on,
)
from voice.menus.loading import read_menu
from voice.orders import confirmation
from voice.orders.engine import OrderEngine
from web.websocket_protocol import WebSocketProtocol

pytestmark = pytest.mark.anyio

AUDIO = {language: (ROOT / f"examples/order-{language}.wav").read_bytes()[44:] for language in ("vi", "en")}
SAID = {
    "vi": "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la",
    "en": "could i get a large milk tea with pearls less sugar and two egg sandwiches",
}
ITEMS = {"vi": [("sinh-to-bo", 2), ("banh-mi-op-la", 3)], "en": [("tra-sua-truyen-thong", 1), ("banh-mi-op-la", 2)]}
SLOW = ROOT.parent / "shared/speech/clips/vi2-gfb_ex0074.wav"  # two words in its first two seconds
BYTES_S = 2 * SAMPLE_RATE
PATH = "/api/v1/voice/live"
# Shorter than in service, so that the tests need not wait: who says nothing, who does not read, and how many may speak.
IDLE_S = 5.0
CLIENT_BYTES = 4 * 2**20
PROGRAM = f"""
import app, voice.live.sessions
from settings import Settings, read_settings
from web import server
from web.server_limits import ServerLimits
app.LIVE_IDLE_S = {IDLE_S}
app.LIVE_SEND_S = 0.5
voice.live.sessions.MAX_CONNECTIONS = 12
voice.live.sessions.MAX_CLIENT_BYTES = {CLIENT_BYTES}
server.run("app:app", read_settings(Settings), ServerLimits(close_deadline_s=0.5))
"""


def waveform(language: str) -> np.ndarray:
    return decode(AUDIO[language], encoding="pcm_s16le", sample_rate=SAMPLE_RATE, channels=1, max_audio_s=60)


def items(event) -> list[tuple[str, int]]:
    return [(line["item"], line["quantity"]) for line in event["lines"]]


# --- Sessions -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def session(state):
    """Begin sessions with the real engines: `session("vi")`."""
    while not state["recogniser"].ready:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.1)

    def begin(*languages: str) -> Session:
        return Session(state["recogniser"].engines(languages), languages, lambda: state["menus"].get("quan-nha"))

    return begin


def speak(session: Session, sound: np.ndarray, *, ends: bool = True, step_s: float = STEP_S) -> Iterator[Any]:
    """Say something, and check of each frame that nothing changes which was told to be settled."""
    step, settled = int(step_s * SAMPLE_RATE), ""
    for start in range(0, len(sound), step):
        last = start + step >= len(sound)
        for event in session.advance(sound[start : start + step], LiveEnd(type="end") if ends and last else None):
            assert not isinstance(event, ApiError), event
            assert event["text"].startswith(settled)
            settled = event["text"][: event["stable"]] if event["type"] == "partial" else ""
            yield event


@pytest.mark.parametrize(("languages", "spoken"), [(("vi",), "vi"), (("en", "vi"), "vi"), (("vi", "en"), "en")])
async def test_the_order_is_understood_on_the_way_in_the_language_that_is_spoken(session, languages, spoken):
    *partials, final = speak(session(*languages), waveform(spoken), step_s=1.2)
    assert (final["type"], final["ended_by"], final["language"]) == ("final", "end", spoken)
    assert re.sub("[,.?]", "", final["text"].lower()) == SAID[spoken]  # where the commas are is another processor's to say
    assert items(final) == ITEMS[spoken]
    assert len(partials) >= 2
    assert any(partial["stable"] for partial in partials)
    assert any(items(partial) for partial in partials)
    assert [segment["text"] for segment in final["segments"]] == [final["text"]]


@pytest.mark.parametrize(("spoken", "forced"), [("vi", "en"), ("en", "vi")])
async def test_doubtful_words_change_no_order_partial_or_final(session, monkeypatch, spoken, forced):
    events = list(speak(session(forced), waveform(spoken)))
    assert all(event["lines"] == [] for event in events)
    monkeypatch.setattr(confirmation, "CONFIRM_BELOW", 1.01)
    final = list(speak(session(spoken), waveform(spoken)))[-1]
    assert (final["lines"], final["changes"]) == ([], [])
    assert [question["pending"]["item"] for question in final["questions"]] == [item for item, _ in ITEMS[spoken]]


@pytest.mark.parametrize("spoken", ["vi", "en"])
async def test_quiet_speech_by_telephone_is_understood(session, spoken):
    loud = waveform(spoken)
    narrow = np.repeat((loud[:-1:2] + loud[1::2]) / 2, 2)
    quiet = np.round(narrow / np.abs(narrow).max() * 10 ** (-36 / 20) * 32767).astype(np.float32) / np.float32(32768)
    *_, final = speak(session(spoken), quiet)
    assert items(final) == ITEMS[spoken]


@pytest.mark.skipif(not SLOW.is_file(), reason="the clip is not here")
async def test_few_words_that_are_surely_vietnamese_are_not_taken_for_another_language(session):
    sound = decode(SLOW.read_bytes(), encoding="auto", sample_rate=None, channels=None, max_audio_s=60)
    *_, final = speak(session("vi", "en"), sound)
    assert (final["language"], final["text"]) == ("vi", "cà phê sữa đá")


async def test_a_pause_ends_an_utterance_and_the_next_one_goes_on_from_its_lines(session):
    one = session("vi")
    pause = np.zeros(SAMPLE_RATE, np.float32)
    finals = [
        event
        for event in speak(one, np.concatenate([waveform("vi"), pause, waveform("vi"), pause]), ends=False)
        if event["type"] == "final"
    ]
    assert [final["ended_by"] for final in finals] == ["pause", "pause"]
    assert [items(final) for final in finals] == [ITEMS["vi"], [("sinh-to-bo", 4), ("banh-mi-op-la", 6)]]
    first, second = (final["segments"][0] for final in finals)
    assert second["start_s"] - first["start_s"] == pytest.approx(len(waveform("vi")) / SAMPLE_RATE + 1, abs=0.5)


async def test_an_end_is_answered_where_nothing_was_said_and_silence_is_not(session):
    one = session("vi")
    one.lines = [LineRequest(item="ca-phe-sua", quantity=2)]
    assert list(one.advance(np.zeros(3 * SAMPLE_RATE, np.float32))) == []
    (final,) = one.advance(np.zeros(0, np.float32), LiveEnd(type="end"))
    assert (final["text"], items(final), final["segments"]) == ("", [("ca-phe-sua", 2)], [])


async def test_lines_that_are_sent_while_somebody_speaks_take_the_place_of_the_order_so_far(session):
    one, sound = session("vi"), waveform("vi")
    (*_, before) = one.advance(sound[: 5 * SAMPLE_RATE])
    (after,) = one.advance(sound[:0], LiveLines(type="lines", lines=[LineRequest(item="ca-phe-sua")]))
    assert items(after) == [("ca-phe-sua", 1), *items(before)]
    assert after["text"] == before["text"]
    (*_, final) = one.advance(sound[5 * SAMPLE_RATE :], LiveEnd(type="end"))
    assert items(final) == [("ca-phe-sua", 1), *ITEMS["vi"]]


async def test_sound_that_stops_to_come_ends_the_utterance(session):
    one = session("vi")
    one.advance(waveform("vi")[: 4 * SAMPLE_RATE])
    (final,) = one.stall()
    assert final["ended_by"] == "pause"
    assert final["text"]
    assert one.stall() == []


async def test_an_utterance_without_a_pause_is_cut_before_it_is_too_long_for_whisper(session, monkeypatch):
    monkeypatch.setattr("voice.live.sessions.MAX_UTTERANCE_S", 3.0)
    finals = [event for event in speak(session("vi"), waveform("vi")) if event["type"] == "final"]
    assert len(finals) >= 2
    assert all(segment["end_s"] - segment["start_s"] <= 3.5 for final in finals for segment in final["segments"])


# --- Menus that change --------------------------------------------------------------------------------------------------------------

UTTERANCE = np.concatenate([waveform("en"), np.zeros(SAMPLE_RATE, np.float32)])


class Changing:
    """Stands in for the book of menus: one menu, which changes."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self.engine: OrderEngine | None = OrderEngine(menu)

    def change(self, item: str, **update: Any) -> None:
        items = {**self.menu.items, item: self.menu.items[item].model_copy(update=update)}
        self.menu = self.menu.model_copy(update={"items": items})
        self.engine = OrderEngine(self.menu)

    def remove(self, *names: str) -> None:
        items = {name: item for name, item in self.menu.items.items() if name not in names}
        self.menu = self.menu.model_copy(update={"items": items})
        self.engine = OrderEngine(self.menu)

    def __call__(self) -> OrderEngine:
        if self.engine is None:
            raise MenuNotFound
        return self.engine


@pytest.fixture
def changing() -> Changing:
    return Changing(read_menu(ROOT / "menus/quan-nha.yaml"))


def hear(session: Session, text: str, sound: np.ndarray = UTTERANCE) -> list[Any]:
    """Let a session hear this text in a recording."""
    session._engines = None, Scripted(itertools.repeat(text))  # noqa: SLF001
    return [event for start in range(0, len(sound), 8000) for event in session.advance(sound[start : start + 8000])]


def session_of(changing: Changing) -> Session:
    return Session((None, Scripted([])), ("en",), changing)


def test_an_item_that_became_unavailable_is_asked_about_and_one_more_of_it_too(changing):
    one = session_of(changing)
    assert items(hear(one, "two lattes")[-1]) == [("latte", 2)]
    changing.change("latte", available=False)
    changing.change("cappuccino", available=False)
    for text in ("one more latte", "make it three lattes", "one cappuccino"):
        final = hear(one, text)[-1]
        assert items(final) == [("latte", 2)]
        assert [question["kind"] for question in final["questions"]] == ["unavailable"]


def test_a_new_price_holds_for_what_was_ordered_before(changing):
    one = session_of(changing)
    before = hear(one, "two lattes")[-1]
    changing.change("latte", price=changing.menu.items["latte"].price + 1000)
    *partials, final = hear(one, "one ca phe sua")
    assert final["lines"][0]["unit_price"] == before["lines"][0]["unit_price"] + 1000
    assert partials
    assert {partial["lines"][0]["total"] for partial in partials} == {before["total"] + 2000}


def test_a_menu_that_changes_within_an_utterance_counts_for_the_rest_of_it(changing):
    one = session_of(changing)
    half = len(UTTERANCE) // 2
    (*_, before) = hear(one, "two lattes", UTTERANCE[:half])
    changing.change("latte", available=False)
    (*_, final) = hear(one, "", UTTERANCE[half:])  # the engine of its beginning goes on
    assert (before["type"], items(before)) == ("partial", [("latte", 2)])
    assert (final["type"], items(final), final["questions"][0]["kind"]) == ("final", [], "unavailable")


def test_what_the_menu_no_longer_has_of_the_order_is_reported_once_and_the_rest_goes_on(changing):
    one = session_of(changing)
    one.lines = [
        LineRequest(item="cappuccino"),
        LineRequest(item="latte", options=[OptionRequest(group="size", choice="l"), OptionRequest(group="shot", choice="extra-shot")]),
    ]
    shots = [group for group in changing.menu.items["latte"].options if group != "shot"]
    changing.change("latte", options=tuple(shots))
    changing.remove("cappuccino")
    error, *_, final = hear(one, "one ca phe sua")
    assert (error.error, [place["loc"] for place in error.errors]) == (
        "ITEM_NOT_FOUND",
        [["lines", 0, "item"], ["lines", 1, "options", 1, "group"]],
    )
    assert items(final) == [("latte", 1), ("ca-phe-sua", 1)]
    assert [option["choice"] for option in final["lines"][0]["options"]] == ["l"]
    assert not any(isinstance(event, ApiError) for event in hear(one, "one ca phe sua"))


def test_lines_that_the_menu_does_not_have_by_then_are_refused_whole(changing):
    one = session_of(changing)
    one.lines = [LineRequest(item="cappuccino")]
    command = LiveLines(type="lines", lines=[LineRequest(item="latte"), LineRequest(item="ca-phe-sua")])
    changing.remove("latte")
    (error,) = one.advance(np.zeros(0, np.float32), command)
    assert isinstance(error, ApiError)
    assert [place["loc"] for place in error.errors] == [["lines", 0, "item"]]
    (final,) = one.advance(np.zeros(0, np.float32), LiveEnd(type="end"))
    assert items(final) == [("cappuccino", 1)]


async def test_a_menu_that_is_gone_ends_the_connection_with_the_reason(changing):
    live = LiveSessions(Busy(is_free=True), max_audio_s=60, registry=CollectorRegistry())  # type: ignore[arg-type]
    with live.talk(changing, LiveOptions(), "one") as talk:
        running = asyncio.create_task(talk.run())
        changing.engine = None
        await talk.command(LiveEnd(type="end"), 15)
        await running
    assert talk.ended_by is not None
    assert talk.ended_by.error == "MENU_NOT_FOUND"


# --- Parts --------------------------------------------------------------------------------------------------------------------------


def test_activity_is_judged_alike_in_pieces_and_at_once():
    sound = waveform("vi")
    sound = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    activity = Activity()
    cuts = [0, 1, 3, 10, 11, 60, len(sound) // FRAME_SAMPLES]
    pieces = [activity.hear(sound[a * FRAME_SAMPLES : b * FRAME_SAMPLES]) for a, b in itertools.pairwise(cuts)]
    np.testing.assert_allclose(np.concatenate(pieces)[:-1], speech_probabilities(sound.copy())[:-1], atol=1e-4)


@pytest.mark.parametrize(("encoding", "sample_rate"), [("pcm_s16le", 16_000), ("pcm_s16le", 48_000), ("mulaw", 8_000), ("alaw", 16_000)])
def test_raw_sound_is_the_same_wherever_it_is_cut(encoding, sample_rate):
    audio = AUDIO["vi"][:40_000]
    whole = decode(audio, encoding=encoding, sample_rate=sample_rate, channels=1, max_audio_s=60)
    stream = RawStream(encoding=encoding, sample_rate=sample_rate)
    pieces = np.concatenate([stream.accept(audio[start : start + 333]) for start in range(0, len(audio), 333)])
    assert 0 <= len(whole) - len(pieces) < 0.01 * SAMPLE_RATE  # what the resampler holds back
    np.testing.assert_allclose(pieces, whole[: len(pieces)], atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_what_all_readings_share_is_the_beginning_of_every_later_one(seed, step):
    draw = np.random.default_rng(seed)
    tokens = ["<blank>", "▁a", "▁b", "c", "▁ab", "b", "▁c", "a", "d", "▁d"]
    scores = np.log(draw.dirichlet(np.full(len(tokens), 0.3), 30) + 1e-9).astype(np.float32)
    search = ctc_decoder.Search(tokens, ("a b", "ab c"))
    shared: list[int] = []
    for start in range(0, len(scores), step):
        search.hear(scores[start : start + step])
        best = [token.number for token in search.best()]
        assert best[: len(shared)] == shared
        assert search.agreed() >= len(shared)
        shared = best[: search.agreed()]
    whole = ctc_decoder.Search(tokens, ("a b", "ab c"))
    whole.hear(scores)
    assert [token.number for token in whole.best()] == [token.number for token in search.best()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(0, 12))
def test_what_was_committed_to_is_shared_by_all_readings_and_the_beginning_of_every_later_one(seed, step, behind):
    draw = np.random.default_rng(seed)
    tokens = ["<blank>", "▁a", "▁b", "c", "▁ab", "b", "▁c", "a", "d", "▁d"]
    scores = np.log(draw.dirichlet(np.full(len(tokens), 0.3), 30) + 1e-9).astype(np.float32)
    search = ctc_decoder.Search(tokens, ("a b", "ab c"))
    committed: list[int] = []
    for start in range(0, len(scores), step):
        search.hear(scores[start : start + step])
        best = search.best()
        assert [token.number for token in best[: len(committed)]] == committed
        search.commit(search.frames - behind)
        assert search.best() == best
        begun = [token.number for token in best if token.frame < search.frames - behind]
        assert search.agreed() >= len(begun)
        committed = [token.number for token in best[: search.agreed()]]


async def test_all_but_the_last_words_of_vietnamese_are_settled_though_many_sound_like_others(session):
    *partials, final = speak(session("vi"), waveform("vi"))
    behind = [len(partial["text"].split()) - len(partial["text"][: partial["stable"]].split()) for partial in partials]
    assert max(behind) <= SENSE_WORDS + 1
    assert len(final["text"].split()) > 2 * SENSE_WORDS


async def test_a_settled_word_stays_though_another_that_sounds_like_it_makes_more_sense_later(session):
    vietnamese, _ = session("vi")._engines  # noqa: SLF001 - the real one
    ear = VietnameseDecoder(vietnamese, session("vi")._menu.vocabulary, 0.0)  # noqa: SLF001
    sound, step, settled, others = waveform("vi"), int(STEP_S * SAMPLE_RATE), "", 0
    for start in range(0, len(sound), step):
        ear.hear(sound[start : start + step])
        plain = " ".join(segment["text"] for segment in ear.read(lambda _: 0.0))
        assert plain.startswith(settled)
        settled = plain[: ear.stable()]
        fickle = " ".join(segment["text"] for segment in ear.read(lambda text: -float(zlib.crc32(text.encode()))))
        assert fickle.startswith(settled)
        settled = fickle[: ear.stable()]
        others += fickle != plain
    assert others


@pytest.mark.parametrize(
    ("settled", "heard", "told"),
    [
        ("", "I want tea.", "I want tea."),
        ("I want", "I want tea.", "I want tea."),
        ("I want", "i want, tea.", "I want, tea."),
        ("I want milk", "I want milkshake and tea", "I want milk and tea"),
        ("I want", "we want two teas", "I want two teas"),
        ("I want two", "I want", "I want two"),
        ("I want two", "", "I want two"),
    ],
)
def test_what_is_settled_stays_whatever_is_heard_later(settled, heard, told):
    assert " ".join(go_on(settled.split(), heard.split())) == told


class Scripted:
    """Stands in for Whisper: hears what it is told to, and is not sure of ?words."""

    name, max_piece_s, max_batch = "scripted", 28.0, 1

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = iter(texts)
        self.heard: list[tuple[float, bool]] = []  # seconds, and whether as a draft

    def check(self, languages: Sequence[str]) -> None:
        """Take any."""

    def go_together(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002
        return False

    def advance(self, hearings: Sequence[DecodeJob]) -> None:
        for hearing in hearings:
            hearing.pieces.clear()
            self.heard.append((len(hearing.waveform) / SAMPLE_RATE, hearing.draft))
            text = next(self.texts)
            if text:
                hearing.segments = [{"start_s": 0.0, "end_s": 1.0, "text": text.replace("?", ""), "confidence": 0.9}]
                hearing.chances = [0.1 if word.startswith("?") else 0.9 for word in text.split()]


def listen(ear: WhisperDecoder, seconds: float, *, silent_s: float = 0.0, waited_s: float = 0.0, before_s: float = 0.0) -> None:
    """Let the ear hear speech, which goes on from `before_s`, and silence after it, a tenth of a second at a time."""
    for tenth in range(1, round(10 * (seconds + silent_s)) + 1):
        spoken = round((before_s + min(tenth / 10, seconds)) * SAMPLE_RATE)
        ear.hear(np.zeros(SAMPLE_RATE // 10, np.float32), spoken, waited_s=waited_s)


def ear_of(whisper: Scripted) -> WhisperDecoder:
    return WhisperDecoder(whisper, ("en",), (), start_s=0.0)


def test_runs_settle_what_they_agree_on_but_for_the_last_word():
    ear, told = ear_of(Scripted(["one milk", "one milk tea and", "one milkshake tea and a"])), []
    for second in range(1, 4):
        ear.hear(np.zeros(SAMPLE_RATE, np.float32), second * SAMPLE_RATE, waited_s=0.0)
        told.append((ear.segments()[0]["text"], ear.stable()))
    assert told == [("one milk", 0), ("one milk tea and", 3), ("one milkshake tea and a", 3)]


def test_runs_that_follow_each_other_soon_settle_nothing_before_enough_was_said():
    whisper = Scripted(["one tea and", "one tea and", "one tea and"])
    ear, settled = ear_of(whisper), []
    for tenth in range(16):
        listen(ear, 0.1, before_s=tenth / 10)
        settled.append(ear.stable())
    assert [seconds for seconds, _ in whisper.heard] == [0.3, 0.9, 1.5]
    assert settled == [0] * 14 + [len("one tea")] * 2


def test_a_word_that_is_hardly_likely_is_told_once_it_is_heard_again():
    ear, told = ear_of(Scripted(["one ?melt", "one milk ?tree", "one milk ?tree two"])), []
    for second in range(1, 4):
        ear.hear(np.zeros(SAMPLE_RATE, np.float32), second * SAMPLE_RATE, waited_s=0.0)
        told.append(ear.segments()[0]["text"])
    assert told == ["one", "one milk", "one milk tree two"]


def test_marks_and_capitals_of_drafts_stay_as_they_were_told_until_all_is_said():
    ear, told = ear_of(Scripted(["i want tea,", "I want, tea, and", "I want tea and a milk,", "I want tea and a milk."])), []
    for before_s, seconds in ((0.0, 0.4), (0.4, 0.6), (1.0, 0.6)):
        listen(ear, seconds, before_s=before_s)
        told.append(ear.segments()[0]["text"])
    assert told == ["i want tea", "i want tea, and", "i want tea, and a milk"]
    ear.finish(2 * SAMPLE_RATE)
    assert ear.segments()[0]["text"] == "i want tea and a milk."  # two words are settled


def test_whisper_hears_the_first_word_soon_then_in_steps_and_in_longer_ones_where_turns_wait():
    whisper = Scripted(["one"] * 20)
    listen(ear_of(whisper), 2.0)
    assert [seconds for seconds, _ in whisper.heard] == [0.3, 0.9, 1.5]
    busy = Scripted(["one"] * 20)
    listen(ear_of(busy), 3.0, waited_s=0.4)
    assert [seconds for seconds, _ in busy.heard] == [0.3, 1.3, 2.3]
    assert all(draft for _, draft in whisper.heard + busy.heard)


def test_what_was_said_before_a_pause_is_heard_once_more_with_care_and_not_again_at_the_end():
    whisper = Scripted(["one", "one milk", "one milk tea", "one milk tea and"])
    ear = ear_of(whisper)
    listen(ear, 1.0, silent_s=0.7)
    assert whisper.heard == [(0.3, True), (0.9, True), (1.4, False)]
    ear.finish(SAMPLE_RATE)
    assert len(whisper.heard) == 3
    ear.keep(np.zeros(SAMPLE_RATE, np.float32))
    ear.finish(2 * SAMPLE_RATE)
    assert whisper.heard[3] == (2.4, False)


@pytest.fixture
async def whisper(state) -> Any:
    while not state["recogniser"].ready:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.1)
    return state["recogniser"].engines(("en",))[1]


def begun(*, draft: bool) -> DecodeJob:
    sound = waveform("en")[: 2 * SAMPLE_RATE]
    return DecodeJob(sound, [(0, len(sound))], language="en", draft=draft)


async def test_a_draft_says_of_each_word_how_likely_it_is(whisper):
    draft, careful = begun(draft=True), begun(draft=False)
    whisper.advance([draft])
    whisper.advance([careful])
    assert len(draft.chances) == len(draft.segments[0]["text"].split()) > 2
    assert all(0 < chance <= 1 for chance in draft.chances)
    assert not careful.chances


async def test_a_loop_in_a_draft_is_left_out_and_not_heard_anew(whisper, monkeypatch):
    encode, encoded = whisper._encode, []  # noqa: SLF001 - what it costs is seen nowhere else

    def spy(mels, frames):
        encoded.append(frames)
        return encode(mels, frames)

    monkeypatch.setattr(whisper, "_loops", lambda *_: True)
    monkeypatch.setattr(whisper, "_encode", spy)
    draft = begun(draft=True)
    whisper.advance([draft])
    assert (draft.segments, draft.pieces, encoded) == ([], [], [DRAFT_FRAMES])
    whisper.advance([begun(draft=False)])
    assert encoded == [DRAFT_FRAMES, MIN_FRAMES, FULL_FRAMES]


WORDS = st.sampled_from(["one", "two", "two,", "Two", "tea", "?tea", "tea.", "…", "?milk", "milkshake"])


@given(st.lists(st.lists(WORDS, max_size=6).map(" ".join), min_size=1, max_size=8))
def test_nothing_settled_changes_whatever_whisper_hears(texts):
    ear = ear_of(Scripted(texts))
    settled = ""
    for number in range(1, len(texts) + 1):
        ear.hear(np.zeros(SAMPLE_RATE * 2, np.float32), number * SAMPLE_RATE * 2, waited_s=0.0)
        text = " ".join(segment["text"] for segment in ear.segments())
        assert text.startswith(settled)
        assert ear.stable() <= len(text)
        settled = text[: ear.stable()]


def test_who_speaks_comes_before_the_clips_of_the_same_client_and_after_others_who_speak():
    turns = FairQueue()

    def job(*, started: float) -> Job:
        made = Job(np.zeros(SAMPLE_RATE, np.float32), "one", (), (), False, Scripted([]), 0.0, settle=lambda _: None)  # noqa: FBT003
        made.started = started
        turns.put(made)
        return made

    clip, first, second = job(started=0.0), job(started=1.0), job(started=1.0)
    order = []
    while turn := turns.next():
        turns.take(turn)
        order.append(turn)
    assert order == [first, second, clip]


def test_what_hurries_comes_before_whatever_waits_for_the_same_client():
    turns, hurried = FairQueue(), []

    def job(number: int) -> Job:
        made = Job(np.zeros(SAMPLE_RATE, np.float32), "one", (), (), False, Scripted([]), 0.0, settle=lambda _: None)  # noqa: FBT003
        made.started, made.hurries = 1.0, lambda: number in hurried
        turns.put(made)
        return made

    first, second, third = map(job, range(3))
    hurried.append(2)
    order = []
    while turn := turns.next():
        turns.take(turn)
        order.append(turn)
    assert order == [third, first, second]


class Door:
    """Stands in for the recogniser's door."""

    def __init__(self, full: Exception | None = None) -> None:
        self.full = full

    def candidates(self, language: str | None, languages: Sequence[str]) -> Sequence[str]:  # noqa: ARG002
        return ("en",)

    def engines(self, candidates: Sequence[str]) -> tuple[None, Scripted]:  # noqa: ARG002
        return None, Scripted([])

    def refuse_when_full(self, client: str) -> None:  # noqa: ARG002
        if self.full:
            raise self.full


async def test_a_client_may_hold_half_of_all_talks_and_leaves_the_rest_to_others(state):
    live = LiveSessions(Door(), max_audio_s=1, registry=CollectorRegistry())  # type: ignore[arg-type]
    menu = state["menus"].get("quan-nha")
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS // 2):
            stack.enter_context(live.talk(lambda: menu, LiveOptions(), "one"))
        with pytest.raises(Overloaded), live.talk(lambda: menu, LiveOptions(), "one"):
            pass
        with live.talk(lambda: menu, LiveOptions(), "other"):
            pass
    with live.talk(lambda: menu, LiveOptions(), "one"):
        live.drain(0)
        with pytest.raises(Overloaded), live.talk(lambda: menu, LiveOptions(), "other"):
            pass


class Busy(Door):
    """Has no turn for anyone before `free` is set."""

    def __init__(self, *, is_free: bool = False) -> None:
        super().__init__()
        self.free = asyncio.Event()
        if is_free:
            self.free.set()
        self.turns: list[tuple[float, bool]] = []  # for how many seconds, and whether it hurried at last

    async def take_turn(self, work, *, seconds, client, hurries):  # noqa: ARG002
        await self.free.wait()
        self.turns.append((seconds, hurries()))
        return await asyncio.to_thread(work)


async def test_a_turn_hears_what_came_while_it_waited_and_hurries_once_the_speaker_is_through(state):
    busy = Busy()
    live = LiveSessions(busy, max_audio_s=60, registry=CollectorRegistry())  # type: ignore[arg-type]
    second = bytes(BYTES_S)
    with live.talk(lambda: state["menus"].get("quan-nha"), LiveOptions(), "one") as talk:
        running = asyncio.create_task(talk.run())
        await talk.take(second)
        await asyncio.sleep(0)  # it waits for its turn
        await asyncio.sleep(0)
        await talk.take(second[: BYTES_S // 2])
        await talk.command(LiveEnd(type="end"), 15)
        busy.free.set()
        final = await anext(talk.events())
        assert not isinstance(final, Exception)
        assert final["type"] == "final"
        assert final["ended_by"] == "end"
        assert busy.turns == [(1.0, True)]
        await talk.take(second)
        await talk.stop()
        await running
        assert busy.turns[1] == (1.5, True)  # with what was heard before and not counted


@pytest.fixture
def waiting(state):
    """Speak where no turn comes: `waiting("client")`."""
    with contextlib.ExitStack() as stack:
        live = LiveSessions(Busy(), max_audio_s=60, registry=CollectorRegistry())  # type: ignore[arg-type]
        yield lambda client: stack.enter_context(live.talk(lambda: state["menus"].get("quan-nha"), LiveOptions(), client))


LINES = LiveLines(type="lines", lines=[])


async def test_commands_that_wait_count_towards_what_a_connection_may_hold(waiting):
    talk = waiting("one")
    running = asyncio.create_task(talk.run())
    await talk.command(LINES, MAX_WAITING_BYTES - 1)
    await talk.command(LINES, MAX_WAITING_BYTES)
    further = asyncio.create_task(talk.command(LINES, 1))
    await asyncio.sleep(0.05)
    assert not further.done()
    talk.live.recogniser.free.set()
    await further
    await talk.stop()
    await running
    assert talk.held_bytes == 1  # of the last command, which set the order


async def test_refusals_that_nobody_reads_are_not_collected(waiting):
    talk = waiting("one")
    for _ in range(MAX_UNSENT):
        await talk.refuse(Overloaded())
    further = asyncio.create_task(talk.refuse(Overloaded()))
    await asyncio.sleep(0.05)
    assert not further.done()
    await anext(talk.events())
    await further


async def test_a_client_holds_no_more_than_its_share_on_all_its_connections(waiting):
    one, same, other = waiting("one"), waiting("one"), waiting("other")
    one.buffered_bytes = MAX_CLIENT_BYTES - MAX_WAITING_BYTES
    await same.command(LINES, MAX_WAITING_BYTES)
    with pytest.raises(RateLimited):
        await same.command(LINES, 1)
    await other.command(LINES, MAX_WAITING_BYTES + 1)
    await waiting("one").command(LINES, MAX_WAITING_BYTES)  # a connection that holds little is served whatever the others hold
    one.buffered_bytes = 0
    await waiting("one").command(LINES, MAX_WAITING_BYTES + 1)


async def test_nobody_is_let_in_to_speak_while_the_queue_is_full(state):
    live = LiveSessions(Door(Overloaded(7)), max_audio_s=1, registry=CollectorRegistry())  # type: ignore[arg-type]
    with pytest.raises(Overloaded), live.talk(lambda: state["menus"].get("quan-nha"), LiveOptions(), "one"):
        pass


# --- Through the socket -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def speaking(tmp_path_factory):
    """A server that recognises speech; the last test here ends it."""
    directory = tmp_path_factory.mktemp("live")
    (directory / "menus").mkdir()
    shutil.copy(ROOT / "menus/quan-nha.yaml", directory / "menus")
    menu = (ROOT / "menus/quan-nha.yaml").read_text("utf-8")
    (directory / "menus/changing.yaml").write_text(menu.replace("id: quan-nha", "id: changing"), "utf-8")
    own = {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer", "DRAIN_SECONDS": "8", "MAX_AUDIO_SECONDS": "60"}
    server = Server(directory, own | {"MENU_DIR": str(directory / "menus")}, PROGRAM)
    server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == 200, within_s=120)
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def calling(server, query="menu=quan-nha&language=vi", headers=KEYS, **options):
    async with connect(f"ws://127.0.0.1:{server.port}{PATH}?{query}", additional_headers=headers, **options) as socket:
        yield socket


async def told(socket: ClientConnection, until: str = "final"):
    """Read frames up to one of this type."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != until:
        envelope = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert set(envelope) == {"code", "msg", "data"}
        frames.append(envelope["data"])
    return frames


async def closed(socket: ClientConnection):
    """Read until the other side closes; give the last frame, the code and the reason."""
    last = None
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(60):
            while True:
                last = json.loads(await socket.recv())["data"]
    return last, socket.close_code, socket.close_reason


def metrics_of(server) -> str:
    return httpx.get(f"{server.url}/metrics").text


def speaking_now(server) -> float:
    line = next(line for line in metrics_of(server).splitlines() if line.startswith("voice_live_sessions "))
    return float(line.split()[1])


async def test_an_order_appears_while_it_is_spoken(speaking):
    async with calling(speaking) as socket:
        for start in range(0, len(AUDIO["vi"]), 3201):  # no whole number of samples
            await socket.send(AUDIO["vi"][start : start + 3201])
        await socket.send('{"type": "end"}')
        *partials, final = await told(socket)
    assert (final["text"], items(final), final["total"], final["unmatched"]) == (SAID["vi"], ITEMS["vi"], 190000, [])
    assert partials
    for partial in partials:
        assert partial["type"] == "partial"
        assert final["text"].startswith(partial["text"][: partial["stable"]])


async def test_a_command_that_cannot_be_carried_out_is_told_and_the_talk_goes_on(speaking):
    line = {"item": "ca-phe-sua", "quantity": 1}
    async with calling(speaking) as socket:
        for text, error in (
            ("{", "BAD_REQUEST"),
            ("[]", "VALIDATION_FAILED"),
            ('{"type": "order"}', "VALIDATION_FAILED"),
            ('{"type": "lines", "lines": [], "total": 0}', "VALIDATION_FAILED"),
            ('{"type": "lines", "lines": [{"item": "moon"}]}', "ITEM_NOT_FOUND"),
            (json.dumps({"type": "lines", "lines": [line], "pad": "x" * 2**20}), "PAYLOAD_TOO_LARGE"),
        ):
            await socket.send(text)
            (frame,) = await told(socket, "error")
            assert frame["error"] == error
            assert frame["request_id"]
        await socket.send(json.dumps({"type": "lines", "lines": [line]}))
        await socket.send('{"type": "end"}')
        (final,) = await told(socket)
    assert (items(final), final["text"], final["changes"]) == ([("ca-phe-sua", 1)], "", [])


async def test_a_menu_file_that_changes_counts_for_connections_that_are_open(speaking):
    path = speaking.log_path.parent / "menus/changing.yaml"
    text, url = path.read_text("utf-8"), f"{speaking.url}/api/v1/voice/menus/changing"
    async with calling(speaking, "menu=changing&language=vi") as socket:
        await socket.send(json.dumps({"type": "lines", "lines": [{"item": "cappuccino"}, {"item": "latte"}]}))
        await socket.send('{"type": "end"}')
        (before,) = await told(socket)
        path.write_text(re.sub("  latte: .*\n", "", text).replace("cappuccino: {", "cappuccino: {available: false, "), "utf-8")
        speaking.wait_until(lambda: "latte" not in httpx.get(url, headers=KEYS).json()["data"]["menu"]["items"])
        await socket.send('{"type": "end"}')
        error, after = await told(socket)
        await socket.send(json.dumps({"type": "lines", "lines": [{"item": "latte"}]}))
        (refused,) = await told(socket, "error")
    assert items(before) == [("cappuccino", 1), ("latte", 1)]
    assert (error["error"], [place["loc"] for place in error["errors"]]) == ("ITEM_NOT_FOUND", [["lines", 1, "item"]])
    assert items(after) == [("cappuccino", 1)]
    assert refused["error"] == "ITEM_NOT_FOUND"


async def test_a_browser_brings_its_token_as_a_subprotocol_from_a_page_of_this_service(speaking):
    pair = {"secret_id": "demo", "secret_key": "demo-secret"}
    async with httpx.AsyncClient(base_url=speaking.url) as client:
        token = (await client.post("/api/v1/auth/token", json=pair)).json()["data"]["access_token"]
    async with calling(speaking, headers={}, subprotocols=["bearer", token], origin=speaking.url) as socket:
        assert socket.subprotocol == "bearer"
        assert socket.response is not None
        assert socket.response.headers["x-request-id"]
        assert socket.response.headers["strict-transport-security"]


@pytest.mark.parametrize(
    ("query", "headers", "status", "error"),
    [
        ("", {}, 401, "AUTHENTICATION_REQUIRED"),
        ("", {"X-Secret-Id": "demo"}, 400, "SECRET_KEY_INVALID"),
        ("", {"X-Secret-Id": "demo", "X-Secret-Key": "not the right one"}, 400, "INVALID_CREDENTIALS"),
        ("", {"Authorization": "Bearer x"}, 401, "INVALID_TOKEN"),
        ("", {"Sec-WebSocket-Protocol": "bearer, x"}, 401, "INVALID_TOKEN"),
        ("", {"Sec-WebSocket-Protocol": "bearer"}, 401, "INVALID_TOKEN"),
        ("", {"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}, 403, "AUTHORIZATION_FAILED"),
        ("", {"X-Secret-Id": "speech", "X-Secret-Key": CLIENT_KEYS["speech"]}, 403, "AUTHORIZATION_FAILED"),
        ("", KEYS | {"Origin": "https://evil.example"}, 400, "BAD_REQUEST"),
        ("", KEYS | {"Origin": "null"}, 400, "BAD_REQUEST"),
        ("", KEYS | {"Origin": "http://["}, 400, "BAD_REQUEST"),
        ("?menu=none", KEYS, 404, "MENU_NOT_FOUND"),
        ("?menu=quan-nha&volume=11", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&sample_rate=1", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&language=xx", KEYS, 422, "VALIDATION_FAILED"),
        ("?menu=quan-nha&encoding=auto", KEYS, 422, "VALIDATION_FAILED"),
    ],
)
async def test_who_may_not_speak_is_told_so_in_the_envelope(speaking, query, headers, status, error):
    await refused(f"ws://127.0.0.1:{speaking.port}{PATH}{query}", headers, status, error)


async def refused(url, headers, status, error):
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(url, additional_headers=headers):
            pass
    response = refusal.value.response
    envelope = json.loads(response.body or b"")
    assert (response.status_code, envelope["code"], envelope["data"]["error"]) == (status, status, error)
    assert envelope["data"]["request_id"] == response.headers["x-request-id"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert ("retry-after" in response.headers) == (status in (429, 503))


async def test_who_would_speak_too_often_or_too_early_is_refused_before_the_upgrade(server):
    early = server(RATE_LIMIT_SPEECH="1/minute")  # without models
    url = f"ws://127.0.0.1:{early.port}{PATH}"
    await refused(url, KEYS, 503, "OVERLOADED")
    await refused(url, KEYS, 429, "RATE_LIMITED")
    await refused(f"ws://127.0.0.1:{early.port}/healthcheck", KEYS, 404, "NOT_FOUND")
    async with httpx.AsyncClient(base_url=early.url) as client:
        assert (await client.get(PATH)).json()["data"]["error"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "fields",
    [
        "Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Long: {'x' * 20_000}\r\n",
    ],
)
async def test_a_handshake_that_is_none_is_refused_in_the_envelope(speaking, fields):
    reader, writer = await asyncio.open_connection("127.0.0.1", speaking.port)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{fields}\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"sec-websocket-version: 13" in head
    assert json.loads(body)["data"]["error"] == "BAD_REQUEST"


async def test_more_sound_than_one_connection_may_bring_ends_it_with_a_reason(speaking):
    async with calling(speaking) as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(70):
                await socket.send(bytes(BYTES_S))
        last, code, reason = await closed(socket)
    assert (last["error"], code, reason) == ("AUDIO_TOO_LONG", 1009, "AUDIO_TOO_LONG")


async def test_a_flood_of_frames_with_nothing_in_them_ends_with_a_reason(speaking):
    async with calling(speaking) as socket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(1500):
                await socket.send(b"")
        last, code, reason = await closed(socket)
    assert (last["error"], code, reason) == ("RATE_LIMITED", 1008, "RATE_LIMITED")


@pytest.mark.parametrize("frame", [b"\x89\x80\0\0\0\0", b"\x8a\x80\0\0\0\0", b"\0\x80\0\0\0\0"], ids=["pings", "pongs", "empty fragments"])
async def test_a_flood_of_frames_that_end_no_message_ends_with_a_reason(speaking, frame):
    async with calling(speaking) as socket:
        socket.transport.write(b"\2\x80\0\0\0\0" + frame * 1500)
        _, code, reason = await closed(socket)
    assert (code, reason) == (1008, "RATE_LIMITED")


async def test_a_message_may_come_in_very_many_fragments_that_have_something_in_them(speaking):
    async with calling(speaking) as socket:
        await socket.send(bytes(64) for _ in range(5000))
        for _ in range(500):
            await socket.pong()
        await socket.send('{"type": "end"}')
        await told(socket)


@pytest.mark.parametrize(("read_paused", "heard_s"), [(True, 0.0), (False, 95.0)])
def test_who_sends_faster_than_is_heard_is_not_taken_for_gone(read_paused, heard_s):
    """The answer to a ping waits behind the sound that is not read yet."""
    pings: list[int] = []
    loop = SimpleNamespace(time=lambda: 100.0)
    peer: Any = SimpleNamespace(read_paused=read_paused, received_s=heard_s, loop=loop, schedule_ping=lambda: pings.append(1))
    WebSocketProtocol.keepalive_timeout(peer)
    assert pings


async def test_a_message_beyond_all_measure_is_not_kept(speaking):
    async with calling(speaking) as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send(bytes(9 * 2**20))
        _, code, _ = await closed(socket)
    assert code == 1009


FRAMES = {
    "one frame of 7 MB": b"\x82\xff" + struct.pack("!QI", 7 * 2**20, 0) + bytes(5 * 2**20),
    "many small fragments": b"\x02\x80" + bytes(4) + (b"\x00\xe4" + bytes(4 + 100)) * (CLIENT_BYTES // 150),
}


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
async def test_a_message_that_stays_unfinished_is_dropped_with_a_reason_once_its_client_holds_too_much(speaking, frames):
    async with calling(speaking) as bystander, calling(speaking) as socket:
        socket.transport.write(frames)
        last, code, reason = await closed(socket)
        assert (last["error"], code, reason) == ("RATE_LIMITED", 1008, "RATE_LIMITED")
        await bystander.send('{"type": "end"}')
        assert (await told(bystander))[-1]["type"] == "final"


async def test_a_long_message_that_is_whole_is_taken_while_its_client_may_hold_it(speaking):
    async with calling(speaking) as socket:
        await socket.send(bytes(40 * BYTES_S))
        await socket.send('{"type": "end"}')
        assert (await told(socket))[-1]["type"] == "final"


async def test_what_was_consumed_counts_no_more_towards_what_a_client_may_hold(speaking):
    command = json.dumps({"type": "lines", "lines": [{"item": "latte", "name": "ế" * (CLIENT_BYTES // 12)}]}, ensure_ascii=False)
    async with calling(speaking) as socket:
        for _ in range(8):  # twice as much in all
            await socket.send(command)
        await socket.send('{"type": "end"}')
        assert items((await told(socket))[-1]) == [("latte", 1)]


async def test_who_says_nothing_is_let_go_with_a_reason(speaking):
    async with calling(speaking) as socket:
        await socket.send(bytes(2 * BYTES_S))  # a silence, which is something
        last, code, reason = await closed(socket)
    assert (last["error"], code, reason) == ("TIMED_OUT", 1008, "TIMED_OUT")


async def test_who_vanishes_or_never_reads_leaves_nothing_behind(speaking):
    gone = await connect(f"ws://127.0.0.1:{speaking.port}{PATH}?menu=quan-nha&language=vi", additional_headers=KEYS)
    await gone.send(AUDIO["vi"][: 2 * BYTES_S])
    gone.transport.abort()
    # Full of questions, deaf to the answers: small buffers on this side, so that they soon reach the other one's.
    reader, writer = await asyncio.open_connection("127.0.0.1", speaking.port, limit=1024)
    credentials = "".join(f"{name}: {value}\r\n" for name, value in KEYS.items())
    writer.write(
        f"GET {PATH}?menu=quan-nha HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{credentials}\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert speaking_now(speaking) >= 1
    transport: Any = writer.transport
    transport.pause_reading()
    with contextlib.suppress(ConnectionError):
        writer.write((b"\x89\xfd\0\0\0\0" + bytes(125)) * 900)  # pings, as many as are answered
        await writer.drain()
        for _ in range(1100):
            writer.write(b"\x82\x80\0\0\0\0")  # and then a flood, which ends the talk
        await writer.drain()
    speaking.wait_until(lambda: speaking_now(speaking) == 0, within_s=30)
    writer.transport.abort()


async def test_a_connection_is_one_access_record_without_what_was_said(speaking):
    async with calling(speaking, headers=KEYS | {"X-Request-ID": "a-live-one"}) as socket:
        await socket.send(AUDIO["vi"])
        await socket.send('{"type": "end"}')
        await told(socket)
    speaking.wait_until(lambda: '"a-live-one"' in speaking.log())
    (record,) = [json.loads(line) for line in speaking.log().splitlines() if '"a-live-one"' in line]
    assert record["audio_s"] == pytest.approx(len(AUDIO["vi"]) / BYTES_S, abs=0.01)
    assert (record["route"], record["status"], record["client"], record["utterances"], record["ended"]) == (PATH, 101, "demo", 1, "left")
    assert "sinh" not in speaking.log()
    assert "demo-secret" not in speaking.log()
    metrics = metrics_of(speaking)
    assert 'voice_live_seconds_count{type="final"}' in metrics
    assert 'voice_live_ended_total{reason="left"}' in metrics


async def test_a_server_that_is_being_stopped_lets_people_finish_and_tells_what_it_understood(speaking):
    async with calling(speaking) as idle, calling(speaking) as socket:
        await socket.send(AUDIO["vi"])
        while (await told(socket, "partial"))[-1]["total"] == 0:
            pass
        speaking.signal(signal.SIGTERM)
        assert (await closed(idle))[1:] == (1012, "The service restarts.")
        await refused(f"ws://127.0.0.1:{speaking.port}{PATH}?menu=quan-nha", KEYS, 503, "OVERLOADED")
        last, code, _ = await closed(socket)
    assert code == 1012
    assert (last["type"], last["text"], items(last)) == ("final", SAID["vi"], ITEMS["vi"])
    assert speaking.process.wait(20) is not None
    assert "Traceback" not in speaking.log()
