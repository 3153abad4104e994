"""Measure telephone calls: from the end of the caller's speech to the first sound of the reply.

    .venv/bin/python -m bench.calls [--calls 1,6] [--rounds N]

Starts its own server with the English voice (`make voices`). Each caller holds a conversation over AudioSocket in real time: the example
order, the answer to its question, "nothing else" and "yes". "nothing else" is said over the shop, the others after it has finished. The
pause that ends an utterance is part of the figures. "reply": all turns; "order": the first, 6 s long; "stop": from the first word over the
shop to the last sound of it; "refused": calls that were not taken; "confirmed": orders in the store; "memory": of the server before and
after. Other load on the machine falsifies the times.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, it imports the service's modules

import httpx
import numpy as np
import psutil

from tests.adapters.callers import SAMPLE_RATE, AudioSocketTelephone, telephone
from tests.adapters.lines import LINE_ID, audiosocket_port, telephone_settings
from tests.servers import ROOT, Server
from voice.asr.vad import speech_end, speech_probabilities
from voice.tts.sound import Resampler, Samples, Sound

KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
MANY = "1000000/minute"
SAID = ("examples/order-en", *(f"tests/recordings/en-{name}" for name in ("black-pearls", "nothing-else", "yes-please")))
# The shop has finished after so much silence; pieces of a sentence follow one another faster.
FINISHED_S = 0.7
OVER_THE_SHOP, OVER_S = 2, 1.0  # the utterance that is said so long after the first sound of the reply before it
STAGGER_S = 1.3  # between the starts of calls


def without_silence(samples: Samples) -> Samples:
    """Cut a recording after its last speech."""
    resampler = Resampler(16_000)
    heard = np.concatenate([resampler.add(Sound(samples, SAMPLE_RATE)), resampler.finish()]) / 32768
    return samples[: (speech_end(speech_probabilities(heard.astype(np.float32))) or 0) * SAMPLE_RATE // 16_000]


class Held(NamedTuple):
    """A call that was held."""

    call_id: UUID
    reply_s: list[float]  # of each turn
    stop_s: float


async def hold_call(port: int, said: list[Samples], delay_s: float) -> Held:
    """Hold a conversation.

    Raises:
        TimeoutError: the call was refused, or a reply did not come.

    """
    await asyncio.sleep(delay_s)
    caller = AudioSocketTelephone(port, UUID(LINE_ID + uuid4().hex[len(LINE_ID) :]))
    seconds: list[float] = []
    stop_s = 0.0
    async with caller:
        await caller.silence(after=await caller.first_sound(after=0), quiet_s=FINISHED_S)
        for number, utterance in enumerate(said):
            began_at = asyncio.get_running_loop().time()
            await caller.say(utterance)
            if number == OVER_THE_SHOP:
                stop_s = max(at for at, _ in caller.heard if at < caller.spoke_until) - began_at
            at = await caller.first_sound(after=max(caller.spoke_until, began_at + stop_s))
            seconds.append(at - caller.spoke_until)
            if number == OVER_THE_SHOP - 1:
                await asyncio.sleep(OVER_S)
            else:
                await caller.silence(after=at, quiet_s=FINISHED_S, within_s=40)
    return Held(caller.call_id, seconds, stop_s)


async def measure(server: Server, n_calls: int, n_rounds: int, said: list[Samples]) -> None:
    """Hold calls at once, and print their figures."""
    process, port = psutil.Process(server.process.pid), audiosocket_port(server)
    before = process.memory_info().rss
    replies: list[list[float]] = []
    stops: list[float] = []
    refused = confirmed = 0
    for _ in range(n_rounds):
        held = await asyncio.gather(*[hold_call(port, said, STAGGER_S * number) for number in range(n_calls)], return_exceptions=True)
        async with httpx.AsyncClient(base_url=server.url, headers=KEYS) as client:
            for one in held:
                if isinstance(one, BaseException):
                    refused += 1
                    continue
                replies.append(one.reply_s)
                stops.append(one.stop_s)
                confirmed += (await client.get(f"/api/v1/voice/order/{one.call_id}")).status_code == httpx.codes.OK
    every, first = sorted(second for call in replies for second in call), sorted(call[0] for call in replies)
    if every:
        p95 = every[min(len(every) - 1, int(0.95 * len(every)))]
        print(f"calls {n_calls}: reply median {statistics.median(every):.2f} s, p95 {p95:.2f} s, {len(every)} turns")
        print(f"calls {n_calls}: order median {statistics.median(first):.2f} s, {len(first)} turns")
        print(f"calls {n_calls}: stop median {statistics.median(stops):.2f} s, {len(stops)} turns")
    print(f"calls {n_calls}: confirmed {confirmed} of {n_calls * n_rounds}, refused {refused}")
    print(f"calls {n_calls}: memory {before / 2**20:.0f} MB before, {process.memory_info().rss / 2**20:.0f} MB after")


def main() -> None:
    """Run the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", default="1,6", help="calls at once, comma-separated")
    parser.add_argument("--rounds", type=int, default=3, help="conversations of each caller")
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.calls.split(",")]
    own = {"ENVIRONMENT": "TESTING", "RATE_LIMIT": MANY, "RATE_LIMIT_SPEECH": MANY, "SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory), own | telephone_settings() | {"MAX_CALLS": str(max(counts))})
        try:
            server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == httpx.codes.OK, within_s=120)
            server.wait_until(lambda: "voice loaded" in server.log())
            said = [without_silence(telephone(ROOT / f"{name}.wav")) for name in SAID]
            for count in counts:
                asyncio.run(measure(server, count, arguments.rounds, said))
            print(json.dumps({line.split()[0]: float(line.split()[1]) for line in metrics_of(server)}))
        finally:
            server.stop()


def metrics_of(server: Server) -> list[str]:
    """Return the sums and counts of the server's own latencies."""
    wanted = ("voice_call_reply_seconds_", "voice_speech_synthesis_seconds_", "voice_live_seconds_")
    text = httpx.get(f"{server.url}/metrics").text
    return [line for line in text.splitlines() if line.startswith(wanted) and "_bucket" not in line and "_created" not in line]


if __name__ == "__main__":
    main()
