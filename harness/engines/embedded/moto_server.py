"""Serves S3 by moto on a socket that it inherits; refuses an access key that is not the session's.

Run by path: `python -P moto_server.py FD`, the access key in MOTO_SERVER_ACCESS_KEY. moto itself accepts any key, so
that a pipeline with a wrong connection would pass here and fail in production.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: where a request names its key, in signature version 4 or 2: the header, or the query of a presigned address
_HEADER = re.compile(r"(?:Credential=|^AWS )([^/:]+)[/:]")
_QUERY = re.compile(r"(?:X-Amz-Credential|AWSAccessKeyId)=([^/%&]+)", re.IGNORECASE)

_REFUSAL = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
    "<RequestId>0</RequestId></Error>"
)


def only_with(access_key: str, application: Wsgi) -> Wsgi:
    """Answer 403 to requests without this access key, as S3 does (S3 API, "Error responses")."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = _HEADER.search(environ.get("HTTP_AUTHORIZATION", "")) or _QUERY.search(environ.get("QUERY_STRING", ""))
        if given and given[1] == access_key:
            return application(environ, start_response)
        code = "InvalidAccessKeyId" if given else "AccessDenied"
        message = "The AWS Access Key Id you provided does not exist in our records." if given else "Access Denied"
        body = _REFUSAL.format(code=code, message=message).encode()
        start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    return guarded


def main() -> None:
    """Serve until the process is ended."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    application = only_with(os.environ["MOTO_SERVER_ACCESS_KEY"], DomainDispatcherApplication(create_backend_app))
    server = make_server(
        "127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler, fd=int(sys.argv[1])
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
