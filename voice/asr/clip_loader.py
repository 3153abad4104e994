"""Decode the audio of requests to waveforms, off the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from weakref import WeakValueDictionary

from schemas import Encoding
from voice.asr.audio import clip_samples, unpack
from voice.asr.media import Media
from voice.asr.media_pool import MediaPool
from voice.asr.waveform import Waveform

N_PROCESSES = 2  # enough: decoding is some hundred times faster than recognition


class ClipLoader:
    """Decodes raw samples and WAV on threads, other audio in child processes, one clip of a client at a time."""

    def __init__(self, *, executor: Executor, max_audio_s: float, pool: MediaPool | None = None) -> None:
        """`executor`: runs the decoding of raw samples. `max_audio_s`: of one clip."""
        self._executor, self._max_audio_s = executor, max_audio_s
        self._pool = pool or MediaPool(N_PROCESSES)
        self._pool_threads = ThreadPoolExecutor(N_PROCESSES, "decode-media")  # each waits for a process
        self._client_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def start(self) -> None:
        """Start a process, so that the first clip does not wait for it; blocking."""
        self._pool.start()

    def close(self) -> None:
        """End the processes and fail the clips that wait."""
        self._pool_threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    async def decode(  # noqa: PLR0913 - the format of the audio
        self,
        audio: bytes,
        client: str,
        *,
        encoding: Encoding,
        sample_rate: int | None,
        channels: int | None,
        check: Callable[[], None],
    ) -> Waveform:
        """Decode a clip of a client; `check` is called on a thread just before and may raise.

        Raises:
            AudioInvalid, AudioTooLong: as `voice.asr.audio.unpack` and `voice.asr.media.decode`.
            Overloaded: the processes are not available.

        """

        def unpack_checked() -> Waveform | Media:
            check()
            unpacked = unpack(audio, encoding=encoding, sample_rate=sample_rate, channels=channels, max_audio_s=self._max_audio_s)
            return unpacked if isinstance(unpacked, Media) else clip_samples(unpacked)

        unpacked = await asyncio.get_running_loop().run_in_executor(self._executor, unpack_checked)
        return await self._decode_media(unpacked, client) if isinstance(unpacked, Media) else unpacked

    async def _decode_media(self, media: Media, client: str) -> Waveform:
        """Decode one clip of a client at a time, so that hostile clips, which take seconds, occupy one process only."""
        async with self._client_locks.setdefault(client, asyncio.Lock()):
            future = self._pool_threads.submit(lambda: clip_samples(self._pool.decode(media, max_audio_s=self._max_audio_s)))
            decoded = asyncio.wrap_future(future)
            try:
                return await asyncio.shield(decoded)
            except asyncio.CancelledError:
                if not future.cancel():  # it runs: the client's next clip waits for it
                    await asyncio.wait({decoded})
                raise
