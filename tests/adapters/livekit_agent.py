"""An agent of LiveKit, in text: `python livekit_agent.py URL KEY RECORDING UTTERANCE...` prints what it recognised, heard and placed."""

import asyncio
import json
import sys
import wave

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.plugins import openai


class Counter(Agent):
    def __init__(self):
        super().__init__(instructions="You take orders.")
        self.placed = []

    @function_tool
    async def place_order(self, order_id: str, lines: list[dict], total: int) -> str:
        """Place the order."""
        self.placed.append({"order_id": order_id, "lines": lines, "total": total})
        return "accepted"


async def main(url, key, recording, *utterances):
    with wave.open(recording) as file:
        n_frames = file.getnframes()
        frame = rtc.AudioFrame(file.readframes(n_frames), file.getframerate(), file.getnchannels(), n_frames)
    recogniser = openai.STT(model="quan-nha", base_url=url, api_key=key, language="vi")
    recognised = (await recogniser.recognize(frame)).alternatives[0].text
    counter, heard = Counter(), []
    async with openai.LLM(model="quan-nha", base_url=url, api_key=key) as llm, AgentSession(llm=llm) as session:
        await session.start(counter)
        for utterance in utterances:
            events = (await session.run(user_input=utterance)).events
            heard += [event.item.text_content for event in events if event.type == "message"]
    sys.stdout.write(json.dumps({"recognised": recognised, "heard": heard, "placed": counter.placed}) + "\n")


asyncio.run(main(*sys.argv[1:]))
