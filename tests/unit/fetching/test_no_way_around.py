"""Nothing in the operator opens a connection around the guard to a place that a namespace's user chose.

All of its source is read: whatever can open a connection is in the table below, with where it leads to. A new line
belongs here only if no user of a namespace can choose the destination, or if it goes through the guard.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import specsync

ROOT = Path(specsync.__file__).parent

# Modules that connect, or that start what may: Python's own, ours, and those that people reach for.
CONNECTING = {
    *(
        "socket",
        "_socket",
        "socketserver",
        "ssl",
        "selectors",
        "asyncore",
        "http",
        "urllib.request",
        "xmlrpc",
        "ctypes",
    ),
    *("ftplib", "smtplib", "poplib", "imaplib", "nntplib", "telnetlib", "webbrowser", "subprocess", "multiprocessing"),
    *("importlib", "runpy", "pty", "aiohttp", "httpx", "requests", "urllib3", "httpcore", "anyio", "trio", "h11"),
    *("websockets", "kubernetes", "pycurl", "boto3", "botocore", "aiosmtplib", "aiodns", "dns", "paramiko"),
    *("jsonschema", "openapi_spec_validator", "referencing", "prance"),
}
# Functions that connect, by whatever object they are called on.
CALLS = {
    *("open_connection", "open_unix_connection", "create_connection", "create_unix_connection", "sock_connect"),
    *("create_datagram_endpoint", "create_subprocess_exec", "create_subprocess_shell", "connect_tcp", "sendto"),
    *("connect", "connect_ex", "getaddrinfo", "urlopen", "import_module", "__import__", "eval", "exec", "system"),
    *("popen", "Popen", "AsyncConnectionPool", "ConnectionPool", "AsyncHTTPProxy", "AsyncSOCKSProxy", "AnyIOBackend"),
    *("AutoBackend", "AsyncHTTPConnection", "ClientSession", "start_tls"),
}

TO_THE_API_SERVER = "the address is that of the kubeconfig or the Pod's service account"
GUARDED = "names no destination: the guard's backend connects"
ALLOWED: dict[str, dict[str, str]] = {
    "fetching/guard.py": {
        "httpcore": "the guard: connects to addresses that it has judged",
        "AnyIOBackend": "the one network, under the guard",
        "connect_tcp": "to judged addresses",
        "sock_connect": "to judged addresses",
        "socket": "for such connections, and the resolver's errors",
    },
    "fetching/resolver.py": {"socket": "resolves", "getaddrinfo": "the guard judges the answers"},
    "fetching/proxy.py": {
        "httpcore": "types and errors",
        "connect_tcp": "to the administrator's proxy, which the guard sends judged names to",
    },
    "fetching/connections.py": {
        "httpcore": GUARDED,
        "AsyncConnectionPool": "with the guard's backend, see below",
    },
    "fetching/client.py": {"httpcore": GUARDED},
    "fetching/responses.py": {"httpcore": "errors", "ssl": "errors"},
    "fetching/streams.py": {"httpcore": "types", "ssl": "types", "start_tls": "on a connection of the guard's"},
    "fetching/tls.py": {"ssl": "contexts and errors"},
    "fetching/post.py": {"httpcore": GUARDED},
    "alerting/channels/email.py": {
        "ssl": "errors",
        "aiosmtplib": "speaks SMTP on a connection of the guard's",
        "connect": "the guard's; then aiosmtplib's greeting on that connection",
    },
    "alerting/channels/registry.py": {"importlib": "imports a channel", "import_module": "of a fixed list"},
    "kube/client.py": {"aiohttp": TO_THE_API_SERVER, "ClientSession": TO_THE_API_SERVER, "http": "names of statuses"},
    "kube/connection.py": {
        "aiohttp": TO_THE_API_SERVER,
        "kubernetes": TO_THE_API_SERVER,
        "ClientSession": TO_THE_API_SERVER,
    },
    "kube/watch.py": {"aiohttp": TO_THE_API_SERVER, "ClientSession": TO_THE_API_SERVER},
    "cli/operate.py": {"connect": TO_THE_API_SERVER},
    "cli/reading.py": {"connect": TO_THE_API_SERVER},
    "cli/probes.py": {"aiohttp": "listens, for the kubelet and Prometheus", "importlib": "the version of this package"},
    "cli/metricsdoc.py": {"importlib": "imports each room's metrics", "import_module": "of this package"},
    "cli/main.py": {"importlib": "imports a command", "import_module": "of a fixed list"},
    "worker/app.py": {"socket": "gethostname, for the worker's id"},
    "worker/child.py": {"ctypes": "prctl: a child ends with its parent"},
    "worker/children.py": {"create_subprocess_exec": "the children, which have no network code"},
}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(ROOT.rglob("*.py")):
        yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text())


def ways_out(module: ast.Module) -> set[str]:
    """What in a module may open a connection."""
    found = set()
    for node in ast.walk(module):
        imported: list[str] = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {alias.name for alias in node.names if alias.name in CALLS}
        elif isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            found |= {name} & CALLS
        for name in imported:
            parts = name.split(".")
            found |= {prefix for prefix in (parts[0], ".".join(parts[:2])) if prefix in CONNECTING}
    return found


def test_what_can_open_a_connection_is_known_and_has_its_reason() -> None:
    found = {(file, way) for file, module in sources() for way in ways_out(module)}
    known = {(file, way) for file, reasons in ALLOWED.items() for way in reasons}
    assert not found - known, "may open a connection: go through the Fetcher, or say in ALLOWED where it leads to"
    assert not known - found, "no longer there: remove it from ALLOWED"


def calls_of(name: str) -> dict[str, list[ast.Call]]:
    """The calls of a function or class by its plain name or attribute, by file."""
    found: dict[str, list[ast.Call]] = {}
    for file, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                called = node.func
                if name in (getattr(called, "attr", None), getattr(called, "id", None)):
                    found.setdefault(file, []).append(node)
    return found


def test_every_pool_of_connections_is_over_the_guard() -> None:
    [(file, [pool])] = calls_of("AsyncConnectionPool").items()
    assert file == "fetching/connections.py"
    [backend] = [keyword.value for keyword in pool.keywords if keyword.arg == "network_backend"]
    assert isinstance(backend, ast.Call)
    assert ast.unparse(backend.func) == "GuardedBackend"
    assert not [keyword for keyword in pool.keywords if keyword.arg in ("proxy", "uds", None)]


OFFLINE = {f"jsonschema_rs.{name}" for name in ("Registry", "FancyRegexOptions", "RegexOptions", "EmailOptions")}


def options_of(call: ast.Call, module: ast.Module) -> dict[str, str]:
    """The keyword arguments of a call; `**NAME` is looked up among the module's constants."""
    constants = {
        ast.unparse(target): node.value
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    found: dict[str, str] = {}
    for keyword in call.keywords:
        if keyword.arg is not None:
            found[keyword.arg] = ast.unparse(keyword.value)
        elif isinstance(constant := constants.get(ast.unparse(keyword.value)), ast.Dict):
            names = [ast.literal_eval(key) for key in constant.keys if key is not None]
            found |= dict(zip(names, map(ast.unparse, constant.values), strict=True))
    return found


def test_schemas_are_never_fetched() -> None:
    """jsonschema_rs gets what `$ref` and `$schema` refer to over http by itself, unless it is told to stay offline."""
    judged = 0
    for file, module in sources():
        for node in ast.walk(module):
            imported = isinstance(node, ast.ImportFrom) and node.module == "jsonschema_rs"
            assert not imported, f"{file}: import the whole of jsonschema_rs, so that its calls are seen here"
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("jsonschema_rs."):
                options = options_of(node, module)
                stays = ast.unparse(node.func) in OFFLINE or options.get("offline") == "True"
                assert stays, f"{file}: {ast.unparse(node)} may fetch: offline=True"
                assert "retriever" not in options, f"{file}: {ast.unparse(node)}"
                judged += 1
    assert judged


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("Guard", {"cli/operate.py", "cli/download.py"}),
        ("Exceptions", {"cli/download.py", "fetching/guard.py"}),
        ("Fetcher", {"cli/download.py", "worker/app.py"}),
        ("Pin", {"stages/service.py"}),
        ("Proxy", set()),
    ],
)
def test_what_opens_the_guard_is_made_by_the_administrators_settings_only(name: str, files: set[str]) -> None:
    """`cli/download.py` is for a person at a prompt, who may go wherever that machine may."""
    assert set(calls_of(name)) == files


def test_the_scan_sees_ways_out() -> None:
    code = (
        "import socket as s, urllib.request\nfrom http.client import HTTPConnection\n"
        "from asyncio import open_connection\n"
        "def f(loop):\n    import aiohttp\n    loop.create_connection\n    __import__('x')\n"
    )
    expected = {"socket", "urllib.request", "http", "open_connection", "aiohttp", "create_connection", "__import__"}
    assert ways_out(ast.parse(code)) == expected
    assert ways_out(ast.parse("from urllib.parse import quote\nimport asyncio\nimport json")) == set()
