"""`specsync run`, `controller` and `worker`: the operator's processes."""

import argparse
import asyncio
import contextlib
import math
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from specsync.alerting.pace import AlertSettings
from specsync.blobs.location import StorePlan
from specsync.cli.alertflags import add_alert_arguments, alert_settings
from specsync.cli.blobstore import add_blob_arguments, operators_stores, store_plan
from specsync.cli.flags import count, duration, port
from specsync.cli.logs import configure_logging
from specsync.cli.probes import Probes, ProbesError
from specsync.controller.app import Controller, ControllerSettings
from specsync.controller.health import Breaker
from specsync.fetching.guard import Exceptions, Guard
from specsync.fetching.politeness import HostLimits
from specsync.fetching.proxy import Proxy
from specsync.kube.client import KubeClient
from specsync.kube.connection import ConnectionError
from specsync.kube.leases import LeaseTiming
from specsync.kube.pod import own_namespace
from specsync.kube.watch import Watcher
from specsync.worker.app import Worker, WorkerSettings, new_worker_id

log = structlog.get_logger()

Pause = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kubeconfig", help="kubeconfig file; else KUBECONFIG, the Pod's service account, ~/.kube/config"
    )
    parser.add_argument(
        "--namespace",
        default=own_namespace(),
        help="the operator's own namespace, for its Leases (default: %(default)s)",
    )
    parser.add_argument(
        "--watch-namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="look at this namespace only; may be repeated (default: all)",
    )
    parser.add_argument(
        "--min-interval",
        type=duration,
        default=60.0,
        metavar="DURATION",
        help="raise shorter spec.interval to this (1m)",
    )
    for state, failures in (("degraded", 3), ("unhealthy", 5), ("paused", 10)):
        parser.add_argument(
            f"--{state}-after",
            type=count,
            default=failures,
            metavar="N",
            help=f"a Dependency is {state} after N failed syncs in a row, if its spec.health doesn't say (%(default)s)",
        )
    parser.add_argument(
        "--heartbeat", type=duration, default=5.0, metavar="DURATION", help="renew Leases so often (5s)"
    )
    parser.add_argument(
        "--lease-duration",
        type=duration,
        default=15.0,
        metavar="DURATION",
        help="take over after no renewal for (15s)",
    )
    parser.add_argument("--concurrency", type=count, default=10, metavar="N", help="jobs at a time in a worker (10)")
    parser.add_argument(
        "--children",
        type=count,
        default=min(4, os.cpu_count() or 1),
        metavar="N",
        help="processes that parse (%(default)s)",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="let documents be fetched from this private host; may be repeated",
    )
    parser.add_argument(
        "--allow-cidr",
        action="append",
        default=[],
        metavar="CIDR",
        help="let documents be fetched from this private network; may be repeated",
    )
    parser.add_argument(
        "--host-concurrency",
        type=int,
        default=4,
        metavar="N",
        help="requests at once to one host; 0 for no limit (%(default)s)",
    )
    parser.add_argument(
        "--host-rate",
        type=float,
        default=5.0,
        metavar="N",
        help="requests a second to one host; 0 for no limit (%(default)s)",
    )
    parser.add_argument(
        "--catch-up-rate",
        type=float,
        default=20.0,
        metavar="N",
        help="overdue syncs a second to begin with after an outage; 0 for no limit (%(default)s)",
    )
    parser.add_argument(
        "--proxy",
        metavar="URL",
        help="fetch documents through this HTTP proxy, http://host:port; one with a password by SPECSYNC_PROXY only",
    )
    parser.add_argument(
        "--contact", metavar="URL", help="whom vendors may ask about the requests: a link for the User-Agent"
    )
    parser.add_argument(
        "--max-document-mib", type=count, default=64, metavar="MIB", help="refuse larger documents (64 MiB)"
    )
    parser.add_argument(
        "--child-memory-mib", type=count, default=2048, metavar="MIB", help="memory of a process that parses (2048 MiB)"
    )
    add_blob_arguments(parser)
    add_alert_arguments(parser)
    parser.add_argument(
        "--probes-port",
        type=port,
        default=8081,
        metavar="PORT",
        help="serve /livez, /readyz and /metrics here; 0 for nowhere (8081)",
    )
    parser.add_argument("--log-format", choices=("text", "json"), default="json" if not sys.stderr.isatty() else "text")


def run(options: argparse.Namespace, pause: Pause = lambda _: None) -> int:
    """Runs until SIGINT or SIGTERM. `pause` is called at named points of a job, for fault tests."""
    configure_logging(options.log_format)
    if options.heartbeat * 2 > options.lease_duration:
        print("specsync: --lease-duration must be at least twice --heartbeat", file=sys.stderr)
        return 2
    try:
        guard = _guard(options)
        breaker = _breaker(options)
        user_agent = _user_agent(options.contact)
        plan = store_plan(options)
        alerts = alert_settings(options)
    except ValueError as error:
        print(f"specsync: {error}", file=sys.stderr)
        return 2
    try:
        uvloop.run(_operate(options, guard, breaker, plan, alerts, user_agent, pause))
    except (ConnectionError, ProbesError) as error:
        print(f"specsync: {error}", file=sys.stderr)
        return 2
    return 0


def _guard(options: argparse.Namespace) -> Guard:
    """Raises ValueError, which says what to write."""
    if options.host_concurrency < 0 or not 0 <= options.host_rate < math.inf:
        raise ValueError("--host-concurrency and --host-rate are numbers from 0 on; 0 lifts the limit")
    if not 0 <= options.catch_up_rate < math.inf:
        raise ValueError("--catch-up-rate is a number from 0 on; 0 lifts the limit")
    if "@" in (options.proxy or ""):
        raise ValueError("--proxy has a password in it, which the process list shows: put the URL in SPECSYNC_PROXY")
    proxy = options.proxy or os.environ.get("SPECSYNC_PROXY")
    return Guard(
        Exceptions.parse(hosts=options.allow_host, cidrs=options.allow_cidr),
        proxy=Proxy.parse(proxy) if proxy else None,
        limits=HostLimits(options.host_concurrency, options.host_rate),
    )


def _breaker(options: argparse.Namespace) -> Breaker:
    """Raises ValueError, which says what to write."""
    if not 1 <= options.degraded_after <= options.unhealthy_after <= options.paused_after:
        raise ValueError("--degraded-after, --unhealthy-after and --paused-after must be at least 1 and not decrease")
    return Breaker(
        degraded_after=options.degraded_after,
        unhealthy_after=options.unhealthy_after,
        paused_after=options.paused_after,
    )


def _user_agent(contact: str | None) -> str:
    if contact is None:
        return WorkerSettings.user_agent
    if not re.fullmatch(r"(https?://|mailto:)[\x21-\x27\x2a-\x7e]{3,200}", contact):
        raise ValueError("--contact isn't a link: write https://example.com/about or mailto:api-team@example.com")
    return f"{WorkerSettings.user_agent} (+{contact})"


async def _operate(
    options: argparse.Namespace,
    guard: Guard,
    breaker: Breaker,
    plan: StorePlan,
    alerts: AlertSettings,
    user_agent: str,
    pause: Pause,
) -> None:
    identity = new_worker_id()
    timing = LeaseTiming(heartbeat=options.heartbeat, duration=options.lease_duration)
    with_controller = options.command in ("run", "controller")
    with_worker = options.command in ("run", "worker")
    async with contextlib.AsyncExitStack() as resources:
        runs: list[Callable[[], Awaitable[None]]] = []
        watchers: list[Watcher] = []
        lacking: list[Callable[[], list[str]]] = []
        drain: Callable[[], Awaitable[None]] | None = None
        if with_controller:
            client = await KubeClient.connect(
                f"specsync-controller/{identity}", "specsync-controller", options.kubeconfig
            )
            resources.push_async_callback(client.close)
            stores = operators_stores(client, plan, options)
            controller = Controller(
                client,
                ControllerSettings(
                    namespace=options.namespace,
                    watch_namespaces=options.watch_namespace,
                    min_interval=options.min_interval,
                    breaker=breaker,
                    timing=timing,
                    catch_up_rate=options.catch_up_rate,
                    host_rate=options.host_rate,
                    object_stores=stores.objects,
                    blob_grace=options.blob_grace,
                    keep_deliveries=alerts.keep_finished,
                ),
                identity,
            )
            runs += [controller.run, stores.prepare]
            watchers.append(controller.watcher)
            lacking += [controller.lacking, stores.lacking]
        if with_worker:
            client = await KubeClient.connect(f"specsync-worker/{identity}", "specsync-worker", options.kubeconfig)
            resources.push_async_callback(client.close)
            settings = WorkerSettings(
                namespace=options.namespace,
                watch_namespaces=options.watch_namespace,
                timing=timing,
                concurrency=options.concurrency,
                children=options.children,
                child_memory=options.child_memory_mib * 1024**2,
                max_document_bytes=options.max_document_mib * 1024**2,
                user_agent=user_agent,
                alerts=alerts,
            )
            blobs = operators_stores(client, plan, options)
            worker = Worker(client, settings, guard, blobs, identity, pause)
            runs += [worker.run, blobs.prepare]
            watchers.append(worker.watcher)
            lacking += [worker.lacking, blobs.lacking]
            drain = worker.drain
        if options.probes_port:
            probes = Probes(lambda: [text for look in lacking for text in look()], options.probes_port, options.command)
            await resources.enter_async_context(probes)
        log.info("started", role=options.command, identity=identity)
        await _run_until_stopped(runs, watchers, drain)
        log.info("stopped", identity=identity)


async def _run_until_stopped(
    runs: list[Callable[[], Awaitable[None]]], watchers: list[Watcher], drain: Callable[[], Awaitable[None]] | None
) -> None:
    """Runs all parts until one fails or the process is told to stop; the worker hands its jobs back then."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    watching = [asyncio.ensure_future(watcher.run()) for watcher in watchers]
    parts = [asyncio.ensure_future(run()) for run in runs]
    told = asyncio.ensure_future(stop.wait())
    await asyncio.wait([*parts, *watching, told], return_when=asyncio.FIRST_COMPLETED)
    failed = [task for task in (*parts, *watching) if task.done()]
    if drain is not None and not failed:
        await drain()
    for task in (*parts, told):
        task.cancel()
    # Jobs and Leases first: what a worker hands back, it must see.
    await asyncio.gather(*parts, return_exceptions=True)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    for task in failed:
        task.result()
