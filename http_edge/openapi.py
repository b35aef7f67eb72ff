"""The OpenAPI 3.1 document, from the table of routes and the models of their bodies and answers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from http_edge import examples
from http_edge.contract import ROUTES, Route
from http_edge.logs import REQUEST_ID
from http_edge.settings import EdgeSettings
from schemas.http import ErrorAnswer, ImageBody

Document = dict[str, Any]

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp")
_WORDS = {
    400: "No face in the image, or no image that can be used",
    401: "No key, or none that is known",
    404: "Switched off here",
    408: "The body did not arrive in time",
    413: "The image or the body is too large",
    415: "Not an image",
    422: "The request does not fit",
    429: "Too many requests with this key",
    500: "A fault of the service",
    503: "No worker, overloaded, or no room",
    504: "No answer in time",
}
_BINARY = {"type": "string", "format": "binary"}
_BASE64_FIELD = {
    "type": "string",
    "description": "base64, with or without a `data:image/…;base64,` prefix",
}


class _Generator(GenerateJsonSchema):
    """Titles for the models alone: a field's name says as much as its title would."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic gives it
        return False


def document_bytes(settings: EdgeSettings) -> bytes:
    """The document as JSON."""
    return orjson.dumps(document(settings))


def document(settings: EdgeSettings) -> Document:
    """The document; limits are told as they are set."""
    paths: Document = {}
    shown = examples.answers()
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, shown)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Facestream",
            "version": version("facestream"),
            "description": _about(settings),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": "faces"}, {"name": "service"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "one of `API_KEY`"}
            },
            "headers": _headers(),
        },
    }


def _about(settings: EdgeSettings) -> str:
    return (
        "Faces, embeddings and attributes of images, computed by workers behind Kafka.\n\n"
        f"An image has at most {settings.max_image_bytes / 2**20:.4g} MiB and comes in any of five "
        "forms: multipart `file`, the field `image_base64` of a form, `image_base64` or "
        "`image_url` in JSON, or the raw body with an `image/*` type. JPEG, PNG, WebP, GIF and "
        "BMP are read.\n\nEvery error has the same shape; `code` is for programs."
    )


def _schemas() -> Document:
    models: dict[type[BaseModel], JsonSchemaMode] = {ImageBody: "validation"}
    for route in ROUTES:
        answers = [] if route.answer is None else [route.answer]
        for answer in (*answers, *(route.events or {}).values()):
            models[answer] = "serialization"
        if route.body is not None:
            models[route.body] = "validation"
    models[ErrorAnswer] = "serialization"
    _, generated = models_json_schema(
        list(models.items()),
        ref_template="#/components/schemas/{model}",
        schema_generator=_Generator,
    )
    schemas: Document = generated["$defs"]
    return schemas


def _operation(route: Route, shown: dict[type[BaseModel], Any]) -> Document:
    operation: Document = {
        "operationId": route.name,
        "tags": ["faces" if route.keyed else "service"],
        "summary": route.summary,
        "description": route.description,
        "parameters": _parameters(route),
        "responses": {
            "200": {
                "description": "The answer",
                "headers": _header_refs(REQUEST_ID),
                "content": _content(route, shown),
            },
            **{str(status): _error(status) for status in route.statuses},
        },
    }
    if route.keyed:
        operation["security"] = [{"key": []}]
    if route.image:
        operation["requestBody"] = {"required": True, "content": _image_forms()}
    elif route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    return operation


def _content(route: Route, shown: dict[type[BaseModel], Any]) -> Document:
    if route.answer is not None:
        answer = {"schema": _ref(route.answer), "example": shown[route.answer]}
        return {"application/json": answer}
    events = route.events or {}
    return {
        "text/event-stream": {
            "schema": {
                "type": "string",
                "description": "An `event:` and the JSON of its `data:`, whose schema "
                "`x-events` has by the event's name",
                "x-events": {name: _ref(model) for name, model in events.items()},
            },
            "example": "".join(
                f"event: {name}\ndata: {orjson.dumps(shown[model]).decode()}\n\n"
                for name, model in events.items()
            ),
        }
    }


def _parameters(route: Route) -> list[Document]:
    parameters: list[Document] = []
    if route.image:
        parameters.append(
            {
                "name": "max_faces",
                "in": "query",
                "description": "How many faces to compute, the most prominent first; 0: all",
                "schema": {"type": "integer", "minimum": 0, "maximum": 999_999_999, "default": 1},
            }
        )
    parameters.append(
        {
            "name": REQUEST_ID,
            "in": "header",
            "description": "For logs and answers alone; made anew where it is missing, longer than "
            "128 characters, or holds others than `A-Z a-z 0-9 . _ : = + / @ -`",
            "schema": {"type": "string"},
        }
    )
    return parameters


def _image_forms() -> Document:
    field = {"type": "object", "properties": {"image_base64": _BASE64_FIELD}}
    return {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "description": "One of the two",
                "properties": {
                    "file": {**_BINARY, "description": "the image file"},
                    # documentation that is tried out sends what stands here, beside the file
                    "image_base64": {**_BASE64_FIELD, "example": ""},
                },
                "oneOf": [{"required": ["file"]}, {"required": ["image_base64"]}],
            }
        },
        "application/json": {"schema": _ref(ImageBody)},
        "application/x-www-form-urlencoded": {"schema": {**field, "required": ["image_base64"]}},
        **{kind: {"schema": _BINARY} for kind in _IMAGE_TYPES},
    }


def _error(status: int) -> Document:
    names = [REQUEST_ID]
    names += ["Retry-After"] if status in (429, 503) else []
    names += ["WWW-Authenticate"] if status == 401 else []
    return {
        "description": _WORDS[status],
        "headers": _header_refs(*names),
        "content": {
            "application/json": {
                "schema": _ref(ErrorAnswer),
                "examples": examples.errors(status),
            }
        },
    }


def _headers() -> Document:
    return {
        REQUEST_ID: {
            "description": "The caller's, or a new one",
            "required": True,
            "schema": {"type": "string"},
        },
        "Retry-After": {
            "description": "Seconds until another try is worth it",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        },
        "WWW-Authenticate": {
            "required": True,
            "description": "How to give a key",
            "schema": {"type": "string", "const": "Bearer"},
        },
    }


def _header_refs(*names: str) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
