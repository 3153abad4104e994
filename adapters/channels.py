"""What the WebSocket routes of telephone platforms read and write, for the AsyncAPI document.

Only the fields that this service uses are here; platforms send more, which are ignored. The sources stand in the module of each protocol.
"""

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from web.asyncapi import Channel, Message


class MediaFormat(TypedDict):
    """The encoding of a stream; mu-law at 8 kHz where it is missing."""

    encoding: NotRequired[str]
    sampleRate: NotRequired[int]


class MediaStart(TypedDict):
    """The call of a stream. `customParameters` may name credentials, `menu`, `language` and `greeting`."""

    callSid: NotRequired[str]
    customParameters: NotRequired[dict[str, str]]
    mediaFormat: NotRequired[MediaFormat]


class MediaStarted(TypedDict):
    """The first message that counts."""

    event: Literal["start"]
    streamSid: NotRequired[str]
    start: MediaStart


class MediaPayload(TypedDict):
    """Audio as base64."""

    payload: str
    track: NotRequired[str]


class MediaReceived(TypedDict):
    """Audio of the caller."""

    event: Literal["media"]
    media: MediaPayload


class MediaSent(TypedDict):
    """Audio for the caller."""

    event: Literal["media"]
    streamSid: str
    media: MediaPayload


class Key(TypedDict):
    """A key of the telephone."""

    digit: str


class MediaKey(TypedDict):
    """A pressed key."""

    event: Literal["dtmf"]
    dtmf: Key


class Mark(TypedDict):
    """The name of a mark."""

    name: str


class MediaMark(TypedDict):
    """A mark behind audio; the platform sends it back when the audio was heard."""

    event: Literal["mark"]
    streamSid: NotRequired[str]
    mark: Mark


class MediaClear(TypedDict):
    """The platform drops the audio that was not heard."""

    event: Literal["clear"]
    streamSid: str


class MediaStop(TypedDict):
    """The call has ended."""

    event: Literal["stop"]


class RelaySetup(TypedDict):
    """The first message. `customParameters` may name credentials, `menu`, `language`, `languages` and `greeting`."""

    type: Literal["setup"]
    callSid: NotRequired[str]
    sessionId: NotRequired[str]
    customParameters: NotRequired[dict[str, str] | None]


class RelayPrompt(TypedDict):
    """Words of the caller; those with `last` false are not the whole utterance."""

    type: Literal["prompt"]
    voicePrompt: str
    lang: NotRequired[str]
    last: NotRequired[bool]


class RelayKey(TypedDict):
    """A pressed key."""

    type: Literal["dtmf"]
    digit: str


class RelayText(TypedDict):
    """A piece of the reply."""

    type: Literal["text"]
    token: str
    last: bool
    lang: NotRequired[str]


class RelayEnd(TypedDict):
    """The session ends; `handoffData` is JSON with `outcome`, `order_id` and the order."""

    type: Literal["end"]
    handoffData: str


class AsteriskEvent(TypedDict):
    """An event as JSON; the first is MEDIA_START with the `format` of the audio."""

    event: str
    channel_id: NotRequired[str]
    format: NotRequired[str]
    digit: NotRequired[str]


class AsteriskCommand(TypedDict):
    """A command as JSON."""

    command: Literal["FLUSH_MEDIA", "MARK_MEDIA", "HANGUP"]
    correlation_id: NotRequired[str]


class JambonzCall(TypedDict):
    """The first message, with what jambonz knows about the call; `sampleRate` is that of the audio, 8000 if it is missing."""

    callSid: NotRequired[str]
    sampleRate: NotRequired[int]


class JambonzKey(TypedDict):
    """A pressed key."""

    event: Literal["dtmf"]
    dtmf: str


class JambonzMark(TypedDict):
    """A mark behind audio; jambonz sends it back when the audio was heard or dropped."""

    type: Literal["mark"]
    data: Mark


class JambonzControl(TypedDict):
    """The audio that was not heard is dropped (`killAudio`), then the marks; or the verb ends."""

    type: Literal["killAudio", "clearMarks", "disconnect"]


_MARK = Message("mark", MediaMark, "A mark, both ways.")
CHANNELS = (
    Channel(
        name="media",
        address="/api/v1/voice/calls/media",
        summary="Twilio Media Streams; Telnyx media streaming has other spellings of the fields, which are accepted. docs/telephony.md",
        receives=(
            Message("start", MediaStarted, "Names the call."),
            Message("heard", MediaReceived, "Audio of the caller."),
            Message("key", MediaKey, "A pressed key."),
            _MARK,
            Message("stop", MediaStop, "The call has ended."),
        ),
        sends=(Message("said", MediaSent, "Audio for the caller."), _MARK, Message("clear", MediaClear, "The caller speaks.")),
    ),
    Channel(
        name="relay",
        address="/api/v1/voice/calls/relay",
        summary="ConversationRelay of Twilio and Telnyx. docs/telephony.md",
        receives=(
            Message("setup", RelaySetup, "Names the call."),
            Message("prompt", RelayPrompt, "Words of the caller."),
            Message("key", RelayKey, "A pressed key."),
        ),
        sends=(Message("text", RelayText, "A piece of the reply."), Message("end", RelayEnd, "Ends the session.")),
    ),
    Channel(
        name="asterisk",
        address="/api/v1/voice/calls/asterisk",
        summary="Asterisk's chan_websocket. Events and commands are JSON or words; commands have the form of the events. docs/telephony.md",
        receives=(
            Message("heard", None, "Audio of the caller, in the format of MEDIA_START."),
            Message("event", AsteriskEvent, "An event."),
            Message("eventInWords", r"^[A-Z_]+( \w+:\S*)*$", "An event in words."),
        ),
        sends=(
            Message("said", None, "Audio for the caller, in the same format."),
            Message("command", AsteriskCommand, "A command."),
            Message("commandInWords", r"^(FLUSH_MEDIA|MARK_MEDIA \S+|HANGUP)$", "A command in words."),
        ),
    ),
    Channel(
        name="jambonz",
        address="/api/v1/voice/calls/jambonz",
        summary="The verb listen of jambonz, with streamed audio in both directions. docs/telephony.md",
        receives=(
            Message("call", JambonzCall, "Names the call."),
            Message("heard", None, "Audio of the caller, pcm_s16le."),
            Message("key", JambonzKey, "A pressed key."),
            Message("mark", JambonzMark, "A mark that was heard or dropped."),
        ),
        sends=(
            Message("said", None, "Audio for the caller, at the same rate."),
            Message("mark", JambonzMark, "A mark behind the audio."),
            Message("control", JambonzControl, "The caller speaks, or the call ends."),
        ),
    ),
)
