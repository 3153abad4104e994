"""Recognise the audio of a request; cancel when the caller disconnects or the deadline passes."""

import asyncio
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from errors import Overloaded
from schemas import SpeechOptions, Transcript
from voice.asr.recogniser import MODELS_RETRY_S, Recogniser
from voice.dialog.state import State
from voice.dialog.turn import EMPTY, DialogEngine
from web.context import caller_of

T = TypeVar("T")
# From the audio to the transcript. The recogniser's JOB_DEADLINE_S, half as long, covers the queue and the engine; this also covers the
# child processes that decode compressed audio before, and rescoring after.
RECOGNITION_DEADLINE_S = 120.0


async def recognise(  # noqa: PLR0913, PLR0917 - the inputs of a recognition
    request: Request,
    recogniser: Recogniser,
    audio: bytes,
    options: SpeechOptions,
    engine: DialogEngine | None,
    state: State = EMPTY,
    *,
    languages: Sequence[str] = (),
    phrases: Sequence[str] = (),
    deadline_s: float = RECOGNITION_DEADLINE_S,
) -> Transcript:
    """Return the transcript; `engine`: of the expected menu, None without one; `state`: of the conversation.

    `languages`: candidates, in place of the menu's. `phrases`: to expect besides the menu's.

    Raises:
        Overloaded: the models are being loaded, the queue is full, or the deadline passed.
        AudioInvalid, AudioTooLong, ValidationFailed: as `Recogniser.transcribe`.
        ClientDisconnect: the caller hung up.

    """
    if not recogniser.ready:
        raise Overloaded(MODELS_RETRY_S, "The speech models are still being loaded.")
    work = recogniser.transcribe(
        audio,
        encoding=options.encoding,
        sample_rate=options.sample_rate,
        channels=options.channels,
        language=options.language,
        languages=languages or (engine.menu.languages if engine else ()),
        phrases=(*(engine.phrases(state) if engine else ()), *phrases),
        words=options.words,
        client=caller_of(request).id,
        scorer=partial(engine.score, state=state) if engine else None,
    )
    try:
        async with asyncio.timeout(deadline_s):
            return await while_connected(request, work)
    except TimeoutError as error:
        message = "Recognition takes too long at the moment."
        raise Overloaded(MODELS_RETRY_S, message) from error


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, and cancel it when the caller disconnects; the body was read before.

    Raises:
        ClientDisconnect: the caller hung up.

    """
    task = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return await task
    finally:
        disconnect.cancel()
        task.cancel()
        del task, disconnect  # an exception's traceback refers to this frame: with the task in it, the audio would stay alive
