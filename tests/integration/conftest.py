"""Fixtures for users' stories: an operator and a server of documents for each module, a namespace for each test.

A module sets options of its operator by a fixture `operator_options` of its own. Tests that hurt processes start them
by `crew` instead.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from devcluster import ControlPlane
from tests.conftest import OperatorKubeconfig
from tests.integration.crew import Crew
from tests.integration.documents import Documents
from tests.integration.processes import Operator
from tests.integration.receivers import Receiver
from tests.integration.user import User


@pytest.fixture(scope="module")
def documents() -> Iterator[Documents]:
    with Documents() as documents:
        yield documents


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Who is alerted: a channel's service on the loopback."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def operator_options() -> tuple[str, ...]:
    return ()


@pytest.fixture(scope="module")
def operator(
    operator_options: tuple[str, ...],
    operator_kubeconfig: OperatorKubeconfig,
    documents: Documents,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """The operator, which may fetch from `documents`. Its log is shown where a test fails."""
    options = ("--allow-host", documents.address, *operator_options)
    with Operator(operator_kubeconfig, tmp_path_factory.mktemp("operator"), options) as operator:
        yield operator


@pytest.fixture(scope="module")
def space(cluster: ControlPlane, crds: object) -> Iterator[str]:
    """One namespace for all tests of this module: each uses its own names, and most use --dry-run=server."""
    name = cluster.create_namespace()
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def crew(
    cluster: ControlPlane, operator_kubeconfig: OperatorKubeconfig, namespace: str, tmp_path: Path
) -> Iterator[Crew]:
    """Processes for this test alone, in its namespace only."""
    with Crew(cluster, operator_kubeconfig, namespace, tmp_path) as crew:
        yield crew


@pytest.fixture
def user(cluster: ControlPlane, namespace: str, operator: Operator) -> User:
    return User(cluster, namespace)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    operator = getattr(item, "funcargs", {}).get("operator")
    if report.failed and isinstance(operator, Operator):
        report.sections.append(("log of the operator", operator.log()))
    return report
