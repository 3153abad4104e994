"""An agent of Pipecat, in text: `python pipecat_agent.py URL KEY RECORDING UTTERANCE...` prints what it recognised, heard and placed."""

import asyncio
import json
import sys
from pathlib import Path

from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import EndFrame, LLMFullResponseEndFrame, LLMMessagesAppendFrame, LLMTextFrame, TranscriptionFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.services.openai.stt import OpenAISTTService

PROPERTIES = {"order_id": {"type": "string"}, "lines": {"type": "array", "items": {"type": "object"}}, "total": {"type": "integer"}}


class Listener(FrameProcessor):
    """Collects what the agent says."""

    def __init__(self):
        super().__init__()
        self.said, self.replies = "", asyncio.Queue()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self.said += frame.text
        elif isinstance(frame, LLMFullResponseEndFrame) and self.said:
            self.replies.put_nowait(self.said)
            self.said = ""
        await self.push_frame(frame, direction)


async def recognise(url, key, recording):
    service = OpenAISTTService(api_key=key, base_url=url, settings=OpenAISTTService.Settings(model="quan-nha", language="vi"))
    frames = [frame async for frame in service.run_stt(recording)]
    return next(frame.text for frame in frames if isinstance(frame, TranscriptionFrame))


async def main(url, key, recording, *utterances):
    recognised = await recognise(url, key, recording)
    placed, heard = [], []

    async def place_order(call):
        placed.append(call.arguments)
        await call.result_callback("accepted")

    llm = OpenAILLMService(api_key=key, base_url=url, settings=OpenAILLMService.Settings(model="quan-nha"))
    llm.register_function("place_order", place_order)
    tool = FunctionSchema("place_order", "Place the order.", PROPERTIES, list(PROPERTIES))
    aggregators = LLMContextAggregatorPair(LLMContext([], ToolsSchema(standard_tools=[tool])))
    listener = Listener()
    task = PipelineTask(Pipeline([aggregators.user(), llm, listener, aggregators.assistant()]))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    for utterance in utterances:
        await task.queue_frame(LLMMessagesAppendFrame([{"role": "user", "content": utterance}], run_llm=True))
        heard.append(await asyncio.wait_for(listener.replies.get(), 20))
        await asyncio.sleep(0.2)  # until the aggregator has the reply
    await task.queue_frame(EndFrame())
    await running
    sys.stdout.write(json.dumps({"recognised": recognised, "heard": heard, "placed": placed}) + "\n")


url, key, recording, *utterances = sys.argv[1:]
asyncio.run(main(url, key, Path(recording).read_bytes(), *utterances))
