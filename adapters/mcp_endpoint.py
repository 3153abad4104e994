"""The tools over the Model Context Protocol: streamable HTTP, with the official SDK (an optional requirement, requirements-mcp.txt).

No session is kept, so that any replica answers any request. Each message is one POST with one reply in JSON; nothing is streamed.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypedDict

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as ToolDescription
from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from adapters.mcp_tools import TOOLS, Tool, ToolReply, error_text
from errors import AuthorizationFailed
from schemas import Ignored
from settings import Settings
from web.bodies import BodyReader
from web.context import caller_of
from web.endpoint import endpoint
from web.media_types import expect_json
from web.replies import to_api_error
from web.validation import validate_json

INSTRUCTIONS = """\
Take orders of a restaurant's customers. Choose the menu with list_menus, then call take_order with the customer's first words and answer \
with each further sentence, word by word: the service understands Vietnamese and English, and asks for what is missing. \
Say `say` to the customer and nothing that a result does not tell; prices and totals come from the results alone. \
Call store_order once, after the customer has confirmed."""


class JsonRpcMessage(BaseModel):
    """A request or a notification. Source: JSON-RPC 2.0, section 4; MCP allows no batch, and no other type of id."""

    model_config = ConfigDict(strict=True)

    jsonrpc: Literal["2.0"]
    method: str
    id: int | str = 0
    params: dict[str, Ignored] | None = None


class McpState(TypedDict):
    """The part of the application's state that the endpoint needs."""

    bodies: BodyReader


class McpEndpoint:
    """The route `/mcp`; the requests of a client count against its limits as those of any route do."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "voice_mcp_calls", "Calls of MCP tools; `error`: none, or an error word.", ["tool", "error"], registry=registry
        )
        self.tools = {name: _describe(name, tool) for name, tool in TOOLS.items()}
        self.server = Server(
            "voice-orders",
            version=settings.app_version,
            instructions=INSTRUCTIONS,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            get_tool_input_schema=lambda name: self.tools[name].input_schema if name in self.tools else None,
        )
        # An application that is opened twice, as in tests, needs a manager each time: one runs only once.
        self.manager: StreamableHTTPSessionManager | None = None
        self.max_body_bytes = settings.max_json_bytes
        self.endpoint = endpoint(scope="any", body=JsonRpcMessage, status={200: "Done."})(self.exchange)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Serve while the context is open; a mounted application's lifespan would never be entered."""
        self.manager = StreamableHTTPSessionManager(
            self.server, json_response=True, stateless=True, max_request_body_size=self.max_body_bytes
        )
        async with self.manager.run():
            yield

    async def exchange(self, request: Request) -> Response:
        """Answer one message of an admitted client."""
        state: McpState = request.scope["state"]
        expect_json(request)
        assert self.manager is not None  # noqa: S101 - the lifespan runs it
        body = await state["bodies"].read(request)
        validate_json(body, JsonRpcMessage)  # the SDK's own errors quote the message
        return _Exchange(self.manager, body)

    async def list_tools(self, _context: ServerRequestContext[Any, Any], _params: PaginatedRequestParams | None) -> ListToolsResult:
        """List the tools."""
        return ListToolsResult(tools=list(self.tools.values()))

    async def call_tool(self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        """Call a tool. An error of the service is a result, so that the model reads its sentence.

        Raises:
            MCPError: there is no such tool.

        """
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name[:100]!r}.")
        assert context.request is not None  # noqa: S101 - the transport is HTTP
        request: Request = context.request
        try:
            content, texts = await _call(tool, request, params.arguments or {})
        except Exception as error:  # noqa: BLE001 - every failure is a result
            known = to_api_error(request.scope, error)
            self.calls.labels(params.name, known.error.lower()).inc()
            return CallToolResult(content=[TextContent(text=error_text(known))], is_error=True)
        self.calls.labels(params.name, "none").inc()
        return CallToolResult(content=[TextContent(text=text) for text in texts], structured_content=content)


async def _call(tool: Tool, request: Request, arguments: dict[str, Any]) -> ToolReply:
    caller = caller_of(request)
    if tool.scope is not None and tool.scope not in caller.scopes:
        raise AuthorizationFailed
    # Validated as JSON, as the bodies of the routes are.
    return await tool.function(request.scope["state"], caller.id, validate_json(json.dumps(arguments).encode(), tool.arguments))


class _Exchange(Response):
    """The SDK's reply to a message that was read."""

    def __init__(self, manager: StreamableHTTPSessionManager, body: bytes) -> None:
        super().__init__()
        self._manager = manager
        self._message = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the SDK reply."""
        read: list[Message] = [{"type": "http.request", "body": self._message}]

        async def receive_again() -> Message:
            return read.pop() if read else await receive()

        await self._manager.handle_request(scope, receive_again, send)


def _describe(name: str, tool: Tool) -> ToolDescription:
    """Describe a tool; only its description and the schema of its arguments have to reach the model."""
    return ToolDescription(
        name=name,
        description=" ".join((tool.function.__doc__ or "").split()),
        inputSchema=tool.arguments.model_json_schema(),
        outputSchema=TypeAdapter(tool.returns).json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            readOnlyHint=not tool.stores, destructiveHint=False if tool.stores else None, idempotentHint=True, openWorldHint=False
        ),
    )
