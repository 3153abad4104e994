"""Load the engines, and select one by language."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from voice.asr.conformer import Conformer
from voice.asr.engine import AsrEngine, DecodeJob
from voice.asr.model_files import conformer_directory, whisper_directory
from voice.asr.scheduler import Job
from voice.asr.vad import speech_pieces, speech_probabilities
from voice.asr.waveform import SAMPLE_RATE
from voice.asr.whisper import Whisper
from voice.asr.whisper_model import WhisperModel

VIETNAMESE: Final = "vi"


@dataclass(frozen=True, slots=True)
class Engines:
    """The engine for Vietnamese, if there is one, and the engine for all other languages."""

    whisper: AsrEngine
    vietnamese: AsrEngine | None = None

    def warm_up(self) -> None:
        """Run the VAD and the engines once: the first call of each is slow."""
        noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
        speech_probabilities(noise)
        for engine in filter(None, (self.whisper, self.vietnamese)):
            engine.advance([DecodeJob(noise, [(0, len(noise))], language="en")])

    def select(self, languages: Sequence[str]) -> tuple[AsrEngine | None, AsrEngine]:
        """Return the Vietnamese engine, or None if no candidate is Vietnamese, and Whisper; no candidates: any language.

        Raises:
            ValidationFailed: a language is not supported.

        """
        vietnamese = self.vietnamese if not languages or VIETNAMESE in languages else None
        self.whisper.check_languages([language for language in languages if vietnamese is None or language != VIETNAMESE])
        return vietnamese, self.whisper

    def reroute(self, job: Job) -> None:
        """Move a job to the other engine if its language turns out to be that engine's.

        If Vietnamese is a candidate, the Vietnamese engine comes first: Whisper misses the language of 11 of 62 Vietnamese clips. If its
        confidence is low, Whisper decides.
        """
        decoded = job.decode_job
        if decoded is None:
            return
        if job.engine is self.vietnamese and decoded.language is None and decoded.state is not None:
            job.vietnamese_job, job.engine = decoded, self.whisper
            pieces = speech_pieces(decoded.speech, len(job.waveform), max_s=job.engine.max_piece_s)
            job.decode_job = replace(decoded, pieces=pieces, excluded_languages=(VIETNAMESE,))
        elif job.vietnamese_job and self.vietnamese and decoded.language == VIETNAMESE and job.engine is self.whisper:
            job.vietnamese_job.language, job.vietnamese_job.language_confidence = VIETNAMESE, decoded.language_confidence
            job.decode_job, job.engine = job.vietnamese_job, self.vietnamese


def load_engines(  # noqa: PLR0913 - the settings of the models
    *, model: str, model_vi: str, model_dir: Path, device: str, compute_type: str, threads: int
) -> Engines:
    """Set up the model files and load the models; blocking. The arguments are those of `Recogniser`.

    Raises:
        ModelMissing: a model is not on this machine.

    """
    directory_vi = conformer_directory(model_vi, model_dir)
    directory = whisper_directory(model, model_dir)
    whisper = Whisper(WhisperModel(directory, device=device, compute_type=compute_type, threads=threads))
    return Engines(whisper, Conformer(directory_vi) if directory_vi else None)
