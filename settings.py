"""Read the environment and `.env` into one frozen object."""

import base64
import re
import sys
import tomllib
from enum import StrEnum
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from limits import parse
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from schemas import Id, Language, Scope, Slug

ROOT = Path(__file__).parent
LOCAL_TOKEN_SECRET = "local-token-secret-that-signs-nothing-of-worth"  # noqa: S105 - LOCAL and TESTING only
# The exit status of a command with wrong arguments or settings.
USAGE_ERROR_STATUS = 2
WEBHOOK_SECRET_PREFIX, MIN_WEBHOOK_KEY_BYTES, MAX_WEBHOOK_KEY_BYTES = "whsec_", 24, 64  # Standard Webhooks, signature scheme
MIN_SECRET_BYTES = 32  # RFC 7518 section 3.2: an HMAC-SHA-256 key has at least 256 bits

KeyDigest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Environment(StrEnum):
    """Where the service runs."""

    LOCAL = "LOCAL"
    STAGING = "STAGING"
    TESTING = "TESTING"
    PRODUCTION = "PRODUCTION"

    @property
    def serves_documentation(self) -> bool:
        """True if the documentation and the page to try the service are served."""
        return self in (self.LOCAL, self.STAGING, self.TESTING)

    @property
    def is_testing(self) -> bool:
        """True in tests."""
        return self is self.TESTING

    @property
    def is_deployed(self) -> bool:
        """True in STAGING and PRODUCTION: no demo client, no default secret."""
        return self in (self.STAGING, self.PRODUCTION)


class Client(BaseModel):
    """A client: the digests of its keys (two while one is being replaced) and its scopes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[KeyDigest, ...] = Field(min_length=1, max_length=2)
    scopes: frozenset[Scope] = Field(min_length=1)


class PhoneLine(BaseModel):
    """What calls of a telephone line order from, and as which client."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: Slug
    menu: Id | None = None  # None: the only menu
    language: Language | None = None  # None: those of the menu that the voice speaks
    greeting: str = Field("", max_length=500)  # empty: the language's


class Webhook(BaseModel):
    """Where a client is told of its orders, and the secrets that sign what it is told (two while one is being replaced)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^https?://[^/?#@\s]+([/?][^#\s]*)?$", max_length=2000)
    secrets: tuple[SecretStr, ...] = Field(min_length=1, max_length=2)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Return the bytes of the secrets."""
        return tuple(webhook_key(secret.get_secret_value()) for secret in self.secrets)

    @field_validator("secrets")
    @classmethod
    def parse_secrets(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        """Reject a secret that is none."""
        for secret in value:
            webhook_key(secret.get_secret_value())
        return value


def webhook_key(secret: str) -> bytes:
    """Return the bytes of a secret in the form of Standard Webhooks.

    Raises:
        ValueError: the secret has another form, or too few or too many bytes.

    """
    try:
        key = base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(WEBHOOK_SECRET_PREFIX) or not MIN_WEBHOOK_KEY_BYTES <= len(key) <= MAX_WEBHOOK_KEY_BYTES:
        message = f"a secret is {WEBHOOK_SECRET_PREFIX} and the base64 of {MIN_WEBHOOK_KEY_BYTES} to {MAX_WEBHOOK_KEY_BYTES} random bytes"
        raise ValueError(message)
    return key


def project_version() -> str:
    """Read the version from pyproject.toml, which the image includes; the project is not an installed package."""
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


class EnvironmentSettings(BaseSettings):
    """Base of settings that are read from the environment and `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)


class DatabaseSettings(EnvironmentSettings):
    """The settings of migrations, which run without secrets."""

    database_url: str = "sqlite+aiosqlite:///voice.db"


class CredentialsSettings(EnvironmentSettings):
    """The settings of the command that makes a client."""

    credentials: dict[Slug, Client] = {}


class MenuSettings(EnvironmentSettings):
    """The settings of commands that only need menu files."""

    menu_dir: Path = ROOT / "menus"


class Settings(DatabaseSettings, CredentialsSettings, MenuSettings):
    """Every setting; `.env.example` explains each.

    Raises:
        pydantic.ValidationError: naming the setting that is missing, weak or malformed.

    """

    environment: Environment = Environment.PRODUCTION
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1)
    site_domain: str = ""
    app_version: str = Field(default_factory=project_version)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    cors_origins_regex: str | None = None
    cors_headers: Annotated[tuple[str, ...], NoDecode] = (
        "Authorization",
        "Content-Type",
        "If-Match",
        "If-None-Match",
        "X-Request-ID",
        "X-Secret-Id",
        "X-Secret-Key",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    access_log: Literal["on", "off"] = "on"
    otel_exporter_otlp_endpoint: str = ""

    token_secret: SecretStr = SecretStr("")
    access_token_seconds: int = Field(900, ge=1)
    refresh_token_seconds: int = Field(30 * 86_400, ge=1)
    rate_limit: str = "600/minute"
    rate_limit_speech: str = "120/minute"
    rate_limit_failed: str = "60/minute"
    rate_limit_storage_uri: str = "memory://"

    order_webhooks: dict[Slug, Webhook] = {}
    webhook_networks: Annotated[tuple[str, ...], NoDecode] = ()

    max_client_menus: int = Field(20, ge=0)
    keep_utterances: int = Field(0, ge=0, le=3650)
    model_dir: Path = ROOT / ".cache" / "models"
    max_body_bytes: int = Field(200_000_000, ge=1)
    max_json_bytes: int = Field(1_048_576, ge=1)
    max_audio_seconds: float = Field(300, gt=0)
    ask_below: float = Field(0.45, ge=0, le=1)

    speech_model: str = "base"
    speech_model_vi: str = "conformer"
    speech_language: str | None = None
    speech_device: str = "auto"
    speech_compute_type: str = "int8"
    speech_threads: int = Field(0, ge=0)
    speech_queue: float = Field(600, gt=0)
    drain_seconds: float = Field(20, ge=0)

    mcp: Literal["on", "off"] = "off"
    speak_voices: Path | None = None
    speak_url: str = ""
    speak_key: SecretStr = SecretStr("")
    speak_model: str = "tts-1"
    speak_voice: str = "alloy"
    speak_voice_by_language: dict[Language, str] = {}
    speak_sample_rate: int = Field(24_000, ge=8000, le=48_000)
    max_calls: int = Field(8, ge=1)
    audiosocket_host: str = "127.0.0.1"
    audiosocket_port: int | None = Field(None, ge=0, le=65535)
    audiosocket_lines: dict[str, PhoneLine] = {}
    twilio_auth_token: SecretStr = SecretStr("")
    twilio_line: PhoneLine | None = None

    @property
    def public_url(self) -> str:
        """SITE_DOMAIN, else HOST and PORT, as a URL; a bare name gets https unless it names this machine."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.host, self.host)  # noqa: S104 - no caller can connect to these
        domain = self.site_domain or f"{f'[{host}]' if ':' in host else host}:{self.port}"
        if "://" in domain:
            return domain
        local = not self.site_domain or re.match(r"(localhost|127\.0\.0\.1|\[::1\])(:|$)", domain)
        return f"{'http' if local else 'https'}://{domain}"

    @field_validator("cors_origins", "cors_headers", "trusted_proxies", "webhook_networks", mode="before")
    @classmethod
    def split_commas(cls, value: object) -> object:
        """Split a comma-separated list."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("rate_limit", "rate_limit_speech", "rate_limit_failed")
    @classmethod
    def parse_limit(cls, value: str) -> str:
        """Reject a malformed limit, which the limiter would ignore silently."""
        parse(value)
        return value

    @field_validator("audiosocket_lines")
    @classmethod
    def normalise_prefixes(cls, value: dict[str, PhoneLine]) -> dict[str, PhoneLine]:
        """Return the lines by the first hexadecimal digits of their calls' ids, in lower case and without hyphens; `*` is any id."""
        lines = {prefix.lower().replace("-", "").removeprefix("*"): line for prefix, line in value.items()}
        for prefix in lines:
            if not re.fullmatch(r"[0-9a-f]{0,32}", prefix):
                message = "a line is named by the first hexadecimal digits of its calls' ids, or *"
                raise ValueError(message)
        return lines

    @field_validator("trusted_proxies", "webhook_networks")
    @classmethod
    def parse_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Reject a value that is neither an address nor a network."""
        for part in value:
            ip_network(part)
        return value

    @model_validator(mode="after")
    def check_voice(self) -> Self:
        """Reject a voice that is not there, and calls without one."""
        if self.speak_voices is not None:
            if find_spec("piper") is None:
                message = "SPEAK_VOICES: needs the packages of requirements-voices.txt"
                raise ValueError(message)
            if not list(self.speak_voices.glob("*.onnx.json")):
                message = "SPEAK_VOICES: no Piper voice (NAME.onnx and NAME.onnx.json) in this directory"
                raise ValueError(message)
        if self.speak_url and not re.match(r"https?://[^/]+", self.speak_url):
            message = "SPEAK_URL: not a URL"
            raise ValueError(message)
        if self.audiosocket_port is not None and not (self.speak_url or self.speak_voices):
            message = "AUDIOSOCKET_PORT: calls need a voice; set SPEAK_URL or SPEAK_VOICES"
            raise ValueError(message)
        return self

    @field_validator("otel_exporter_otlp_endpoint")
    @classmethod
    def check_tracing(cls, value: str) -> str:
        """Reject a collector that cannot be exported to."""
        if value and not re.match(r"https?://[^/]+", value):
            message = "not a URL"
            raise ValueError(message)
        if value and find_spec("opentelemetry") is None:
            message = "needs the packages of requirements-tracing.txt"
            raise ValueError(message)
        return value

    @field_validator("mcp")
    @classmethod
    def check_mcp(cls, value: str) -> str:
        """Reject tools whose protocol is not installed."""
        if value == "on" and find_spec("mcp") is None:
            message = "needs the packages of requirements-mcp.txt"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def check_lines(self) -> Self:
        """Reject missing lines, lines and webhooks of unknown clients, and a line that any caller could use."""
        if self.audiosocket_port is not None and not self.audiosocket_lines:
            message = "AUDIOSOCKET_LINES: no line, so that no call would be taken"
            raise ValueError(message)
        if self.twilio_line and not self.twilio_auth_token.get_secret_value():
            message = "TWILIO_LINE: needs TWILIO_AUTH_TOKEN, which proves that a call comes from Twilio"
            raise ValueError(message)
        clients = {*self.credentials, *(() if self.environment.is_deployed else ("demo",))}
        named = [*(("AUDIOSOCKET_LINES", line.client) for line in self.audiosocket_lines.values())]
        named += [("TWILIO_LINE", self.twilio_line.client)] if self.twilio_line else []
        named += [("ORDER_WEBHOOKS", client) for client in self.order_webhooks]
        for name, client in named:
            if client not in clients:
                message = f"{name}: no client {client} in CREDENTIALS"
                raise ValueError(message)
        return self

    @model_validator(mode="after")
    def reject_unsafe(self) -> Self:
        """Reject a missing or weak secret, CORS that lets any origin act as the user, and limits that the workers cannot share."""
        if "*" in self.cors_origins:
            message = "CORS_ORIGINS: '*' cannot be combined with credentials; name the origins"
            raise ValueError(message)
        if self.workers > 1 and self.rate_limit_storage_uri.startswith("memory://"):
            for name in ("rate_limit", "rate_limit_speech", "rate_limit_failed"):
                if parse(getattr(self, name)).amount < self.workers:
                    message = f"{name.upper()}: cannot be divided among {self.workers} workers; set RATE_LIMIT_STORAGE_URI to a Redis"
                    raise ValueError(message)
        if self.environment.is_deployed:
            secret = self.token_secret.get_secret_value()
            if len(secret.encode()) < MIN_SECRET_BYTES or len(set(secret)) < MIN_SECRET_BYTES // 4 or secret == LOCAL_TOKEN_SECRET:
                message = f"TOKEN_SECRET: missing or weak; at least {MIN_SECRET_BYTES} random characters are needed"
                raise ValueError(message)
            if not self.credentials:
                message = "CREDENTIALS: no client; `python -m voice new-client NAME --scopes ...` makes one"
                raise ValueError(message)
        return self


S = TypeVar("S", bound=EnvironmentSettings)


def read_settings(settings: type[S]) -> S:
    """Read the settings; on an error exit with one line and status 2."""
    try:
        return settings()
    except (ValidationError, SettingsError, UnicodeDecodeError) as error:
        sys.stderr.write(f"{describe(error)}\n")
        raise SystemExit(USAGE_ERROR_STATUS) from None


def describe(error: Exception) -> str:
    """Return one line with each wrong setting and its problem, without its value."""
    if isinstance(error, SettingsError):  # a list or an object that is not JSON; only the error's text names the field
        field = re.search(r'field "(\w+)"', str(error))
        return f"{field[1].upper() if field else 'The environment'}: not JSON"
    if not isinstance(error, ValidationError):
        return ".env: not UTF-8"
    problems = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        setting = ".".join(str(step) for step in one["loc"]).upper()
        problem = one["msg"].removeprefix("Value error, ")
        problems.append(f"{setting}: {problem}" if setting else problem)
    return "; ".join(problems)
