"""The models of the OpenAI API. Each menu is a model: it takes orders in chats, and it biases transcriptions."""

from typing import Any, TypedDict

from starlette.requests import Request
from starlette.responses import Response

from voice.dialog.turn import DialogEngine
from voice.menus.served import ServedMenus
from web.context import caller_of
from web.endpoint import endpoint
from web.replies import JsonResponse

# Transcription without a menu, under the name that clients have as their default.
SPEECH_MODEL = "whisper-1"


class ModelsState(TypedDict):
    """The part of the application's state that these endpoints need."""

    menus: ServedMenus[DialogEngine]


@endpoint(scope="any", status={200: "The menus that are served, as models."})
async def list_models(request: Request) -> Response:
    """List the models."""
    state: ModelsState = request.scope["state"]
    menus = [menu.id for menu in state["menus"].menus_of(caller_of(request).id)]
    return JsonResponse({"object": "list", "data": [_model(id_) for id_ in (*menus, SPEECH_MODEL)]})


@endpoint(scope="any", status={200: "Found."})
async def get_model(request: Request) -> Response:
    """Return a model."""
    state: ModelsState = request.scope["state"]
    id_: str = request.path_params["model"]
    if id_ != SPEECH_MODEL:
        state["menus"].get(caller_of(request).id, id_)
    return JsonResponse(_model(id_))


def _model(id_: str) -> dict[str, Any]:
    return {"id": id_, "object": "model", "created": 0, "owned_by": "voice-api"}
