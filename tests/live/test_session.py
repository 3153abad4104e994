import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from errors import ApiError
from schemas import Conversation, LineRequest, LiveEnd, LiveLines
from settings import ROOT
from tests.live.fakes import SPOKEN, ScriptedSession
from tests.live.recordings import ITEMS, SILENCE, TRANSCRIPTS, items, waveform
from voice.asr.audio import SAMPLE_RATE, decode
from voice.asr.vad import speech_end, speech_probabilities
from voice.live.decoder import STEP_S
from voice.live.session import StreamingSession

pytestmark = pytest.mark.anyio

SLOW = ROOT.parent / "shared/speech/clips/vi2-gfb_ex0074.wav"  # two words in its first two seconds


def speak(session: StreamingSession, sound: np.ndarray, *, ends: bool = True, step_s: float = STEP_S) -> Iterator[Any]:
    """Pass audio to a session, and assert of each event that no stable character has changed."""
    step, stable = int(step_s * SAMPLE_RATE), ""
    for start in range(0, len(sound), step):
        last = start + step >= len(sound)
        for event in session.advance(sound[start : start + step], LiveEnd(type="end") if ends and last else None):
            assert not isinstance(event, ApiError), event
            assert event["type"] != "speech"  # reported on demand only
            assert event["text"].startswith(stable)
            stable = event["text"][: event["stable"]] if event["type"] == "partial" else ""
            yield event


@pytest.mark.parametrize(("languages", "spoken"), [(("vi",), "vi"), (("en", "vi"), "vi"), (("vi", "en"), "en")])
async def test_partials_grow_into_the_final_in_the_spoken_language(session, languages, spoken):
    *partials, final = speak(session(*languages), waveform(spoken), step_s=1.2)
    assert (final["type"], final["ended_by"], final["language"]) == ("final", "end", spoken)
    assert re.sub("[,.?]", "", final["text"].lower()) == TRANSCRIPTS[spoken]  # commas differ between processors
    assert items(final) == ITEMS[spoken]
    assert len(partials) >= 2
    assert any(partial["stable"] for partial in partials)
    assert any(items(partial) for partial in partials)
    assert [segment["text"] for segment in final["segments"]] == [final["text"]]


@pytest.mark.parametrize(("spoken", "forced"), [("vi", "en"), ("en", "vi")])
async def test_speech_in_another_language_than_the_forced_one_changes_no_order(session, spoken, forced):
    assert all(event["lines"] == [] for event in speak(session(forced), waveform(spoken)))


def test_words_of_low_confidence_change_no_order_and_are_asked_about(menu):
    *partials, final = ScriptedSession(menu, confidence=0.5).say("two lattes and a cappuccino")
    assert partials
    assert all(event["lines"] == [] for event in [*partials, final])
    assert final["changes"] == []
    assert [question["pending"]["item"] for question in final["questions"]] == ["latte", "cappuccino"]


@pytest.mark.parametrize("spoken", ["vi", "en"])
async def test_quiet_telephone_speech_is_understood(session, spoken):
    loud = waveform(spoken)
    narrow = np.repeat((loud[:-1:2] + loud[1::2]) / 2, 2)
    quiet = np.round(narrow / np.abs(narrow).max() * 10 ** (-36 / 20) * 32767).astype(np.float32) / np.float32(32768)
    *_, final = speak(session(spoken), quiet)
    assert items(final) == ITEMS[spoken]


@pytest.mark.skipif(not SLOW.is_file(), reason="the clip is not here")
async def test_few_words_that_are_confidently_vietnamese_are_not_given_to_whisper(session):
    sound = decode(SLOW.read_bytes(), encoding="auto", sample_rate=None, channels=None, max_audio_s=60)
    *_, final = speak(session("vi", "en"), sound)
    assert (final["language"], final["text"]) == ("vi", "cà phê sữa đá")


async def test_a_pause_ends_an_utterance_and_the_next_one_continues_from_its_lines(session):
    sound = np.concatenate([waveform("vi"), SILENCE, waveform("vi"), SILENCE])
    finals = [event for event in speak(session("vi"), sound, ends=False) if event["type"] == "final"]
    assert [final["ended_by"] for final in finals] == ["pause", "pause"]
    assert items(finals[0]) == ITEMS["vi"]
    # The same words again order more; whether the second item is counted up or only said again is a matter of weights.
    assert items(finals[1]) in ([("sinh-to-bo", 4), ("banh-mi-op-la", 6)], [("sinh-to-bo", 4), ("banh-mi-op-la", 3)])
    first, second = (final["segments"][0] for final in finals)
    assert second["start_s"] - first["start_s"] == pytest.approx(len(waveform("vi")) / SAMPLE_RATE + 1, abs=0.5)


def ends(session: StreamingSession, sound: np.ndarray) -> bool:
    """Return whether an utterance ends within a sound."""
    return any(not isinstance(event, ApiError) and event["type"] == "final" for event in session.advance(sound))


@pytest.mark.parametrize(
    ("text", "before_s", "until_s"),
    [("two lattes and", 1.4, 1.7), ("good morning", 0.6, 0.9), ("two lattes", 0.46, 0.65), ("that's all", 0.2, 0.45)],
)
def test_the_pause_that_ends_an_utterance_is_the_longer_the_less_complete_it_is(menu, text, before_s, until_s):
    session = ScriptedSession(menu)
    session.order.set_state(Conversation(lines=[LineRequest(item="cappuccino")]))
    session.whisper.texts = iter([text] * 100)
    assert not ends(session, SPOKEN[: speech_end(speech_probabilities(SPOKEN))])
    pause_s = step_s = session.step_s
    while not ends(session, np.zeros(round(step_s * SAMPLE_RATE), np.float32)):
        step_s = session.step_s
        pause_s += step_s
    assert before_s <= pause_s <= until_s


async def test_an_end_command_is_answered_without_speech_and_silence_is_not(session):
    one = session("vi")
    one.order.set_state(Conversation(lines=[LineRequest(item="ca-phe-sua", quantity=2)]))
    assert list(one.advance(np.zeros(3 * SAMPLE_RATE, np.float32))) == []
    (final,) = one.advance(np.zeros(0, np.float32), LiveEnd(type="end"))
    assert (final["text"], items(final), final["segments"]) == ("", [("ca-phe-sua", 2)], [])


async def test_a_lines_command_within_an_utterance_replaces_the_order_before_it(session):
    one, sound = session("vi"), waveform("vi")
    (*_, before) = one.advance(sound[: 5 * SAMPLE_RATE])
    (after,) = one.advance(sound[:0], LiveLines(type="lines", lines=[LineRequest(item="ca-phe-sua")]))
    assert items(after) == [("ca-phe-sua", 1), *items(before)]
    assert after["text"] == before["text"]
    (*_, final) = one.advance(sound[5 * SAMPLE_RATE :], LiveEnd(type="end"))
    assert items(final) == [("ca-phe-sua", 1), *ITEMS["vi"]]


async def test_a_stall_ends_the_utterance(session):
    one = session("vi")
    one.advance(waveform("vi")[: 4 * SAMPLE_RATE])
    (final,) = one.stall()
    assert final["ended_by"] == "pause"
    assert final["text"]
    assert one.stall() == []


async def test_an_utterance_without_a_pause_is_cut_at_the_maximum_length(session):
    finals = [event for event in speak(session("vi", max_utterance_s=3.0), waveform("vi")) if event["type"] == "final"]
    assert len(finals) >= 2
    assert all(segment["end_s"] - segment["start_s"] <= 3.5 for final in finals for segment in final["segments"])


def test_a_menu_that_changes_within_an_utterance_holds_for_the_rest_of_it(menu):
    session, half = ScriptedSession(menu), len(SPOKEN) // 2
    (*_, before) = session.say("two lattes", SPOKEN[:half])
    menu.change("latte", available=False)
    (*_, final) = session.say("two lattes", SPOKEN[half:])
    assert (before["type"], items(before)) == ("partial", [("latte", 2)])
    assert (final["type"], items(final), final["questions"][0]["kind"]) == ("final", [], "unavailable")


def test_lines_that_the_menu_no_longer_has_are_reported_once_and_the_rest_is_kept(menu):
    session = ScriptedSession(menu)
    session.order.set_state(Conversation(lines=[LineRequest(item="cappuccino"), LineRequest(item="latte")]))
    menu.remove("cappuccino")
    error, *_, final = session.say("one ca phe sua")
    assert (error.error, [place["loc"] for place in error.errors]) == ("ITEM_NOT_FOUND", [["lines", 0, "item"]])
    assert items(final) == [("latte", 1), ("ca-phe-sua", 1)]
    assert not any(isinstance(event, ApiError) for event in session.say("one ca phe sua"))


def test_a_lines_command_with_an_item_that_the_menu_no_longer_has_is_rejected_whole(menu):
    session = ScriptedSession(menu)
    session.order.set_state(Conversation(lines=[LineRequest(item="cappuccino")]))
    command = LiveLines(type="lines", lines=[LineRequest(item="latte"), LineRequest(item="ca-phe-sua")])
    menu.remove("latte")
    (error,) = session.advance(np.zeros(0, np.float32), command)
    assert isinstance(error, ApiError)
    assert [place["loc"] for place in error.errors] == [["lines", 0, "item"]]
    (final,) = session.advance(np.zeros(0, np.float32), LiveEnd(type="end"))
    assert items(final) == [("cappuccino", 1)]
