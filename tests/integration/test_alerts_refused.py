"""Jobs that fail when they have written their ChangeSet: the next sync finds the change again, and nothing is doubled.

A ValidatingAdmissionPolicy keeps the alert stage from writing deliveries, as a quota or a missing right would.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from devcluster import ControlPlane, KubectlError
from tests.integration.alerts import deliveries, delivery, phases, webhook
from tests.integration.crew import contract
from tests.integration.documents import Documents
from tests.integration.receivers import Receiver
from tests.integration.user import User
from tests.waiting import eventually


@pytest.fixture(scope="module")
def operator_options(receiver: Receiver) -> tuple[str, ...]:
    return ("--allow-host", receiver.address, "--alert-window", "1s")


class Shop:
    """A Dependency that has its baseline, and default channels a, b and c."""

    def __init__(self, user: User, documents: Documents, receiver: Receiver) -> None:
        self._user, self._documents, self._path = user, documents, f"/{user.namespace}/shop"
        for name in ("a", "b", "c"):
            user.apply(*webhook(receiver, name, f"/{user.namespace}/{name}", default=True))
        user.depend_on("shop", self.publish(9))
        user.wait("dep/shop", "Ready")

    def publish(self, fields: int, *, comment: str = "") -> str:
        """Fewer fields are a breaking change. A comment is none at all, though the document's bytes differ."""
        document = {**contract("Shop", version=str(10 - fields), fields=fields), "x-comment": comment}
        return self._documents.publish(self._path, document)

    def breaks(self) -> None:
        self._documents.publish(self._path, "no OpenAPI document")

    def fails(self, stage: str = "alert") -> str:
        """A sync that fails in that stage; the name of its job."""
        job = self._user.sync("shop", "Failed")
        error = job["status"]["error"]
        assert (error["stage"], error["reason"]) == (stage, "APIError")
        assert "not now" in error["message"]
        return str(job["metadata"]["name"])


@contextmanager
def refused(cluster: ControlPlane, user: User, expression: str, *others: str) -> Iterator[None]:
    """Meanwhile only AlertDeliveries (and `others`) of this namespace are created of which a CEL expression is true."""
    name = f"refused-{user.namespace}"
    created = {"apiGroups": ["specsync.dev"], "apiVersions": ["*"], "resources": ["alertdeliveries", *others]}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": user.namespace}},
            "resourceRules": [{**created, "operations": ["CREATE"]}],
        },
        "validations": [{"expression": expression, "message": "not now"}],
    }
    prefix = "ValidatingAdmissionPolicy"
    bodies = {prefix: policy, f"{prefix}Binding": {"policyName": name, "validationActions": ["Deny"]}}
    api = "admissionregistration.k8s.io/v1"
    user.apply(
        *({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": body} for kind, body in bodies.items())
    )

    def is_refused() -> bool:
        try:
            user.kubectl("create", "--dry-run=server", "-f", "-", stdin=delivery(user.namespace, "x", "b"))
        except KubectlError as error:
            assert "not now" in error.stderr
            return True
        return False

    try:
        eventually(is_refused, timeout=30, what="the policy to be in force")
        yield
    finally:
        user.kubectl("delete", f"{prefix}Binding,{prefix}", name)
    eventually(lambda: not is_refused(), timeout=30, what="the policy to be gone")


def versions(user: User) -> list[tuple[str, str]]:
    found: list[Any] = user.all("chg")
    return [(each["spec"]["from"]["version"], each["spec"]["to"]["version"]) for each in found]


def test_a_change_that_is_found_again_is_one_change_set_and_nobody_is_told_twice(
    user: User, documents: Documents, receiver: Receiver, cluster: ControlPlane
) -> None:
    shop = Shop(user, documents, receiver)
    shop.publish(8)
    to_a, to_b, to_c = (f"/{user.namespace}/{name}" for name in ("a", "b", "c"))
    with refused(cluster, user, "object.spec.channel != 'b'"):
        first = shop.fails()
        eventually(
            lambda: phases(user, kind="Change"), until=["Sent", "Sent"].__eq__, what="the other channels to be told"
        )
        shop.publish(8, comment="spelled in another way")
        second = shop.fails()
        assert user.names("chg") == {first}
        assert phases(user, kind="Change") == ["Sent"] * 2
    user.sync("shop", "Changed")
    [told] = eventually(lambda: receiver.told(to_b), what="the last channel to be told")
    assert told == "Shop: 1 breaking change (1 → 2)"
    assert user.names("chg") == {first}
    status = user.get("dep/shop")["status"]
    assert (status["lastChange"]["changeSet"], status["current"]["snapshot"]) == (first, first)
    assert first in user.names("snap")
    assert len(user.names("snap")) == 2, "the baseline and this one"
    assert user.reasons("shop").count("BreakingChange") == 1

    # Those that failed may still be tried again; it finds nothing new, and takes nothing away.
    for name in (first, second):
        user.kubectl("annotate", f"sjob/{name}", "specsync.dev/retryRequestedAt=1")
        user.wait(f"sjob/{name}", "Complete")
        assert user.get(f"sjob/{name}")["status"]["result"] == "Unchanged"
    assert user.names("chg") == {first}
    assert phases(user, kind="Reminder") == ["Pending"] * 3
    shop.publish(7)
    user.sync("shop", "Changed")
    assert sorted(versions(user)) == [("1", "2"), ("2", "3")]
    eventually(lambda: len(receiver.told(to_b)), until=(2.0).__eq__, what="the next change to be told")
    eventually(lambda: phases(user, kind="Change"), until=(["Sent"] * 6).__eq__)
    assert [len(receiver.told(path)) for path in (to_a, to_b, to_c)] == [2, 2, 2]


def test_a_change_that_goes_on_while_jobs_fail_is_one_change_set_with_all_of_it(
    user: User, documents: Documents, receiver: Receiver, cluster: ControlPlane
) -> None:
    shop = Shop(user, documents, receiver)
    with refused(cluster, user, "false"):
        for fields in (8, 7):
            shop.publish(fields)
            shop.fails()
    shop.publish(6)
    last = user.sync("shop", "Changed")["metadata"]["name"]
    assert user.names("chg") == {last}
    assert versions(user) == [("1", "4")]
    assert user.get(f"chg/{last}")["spec"]["summary"]["breaking"] == 3
    assert {each["spec"]["changeSet"] for each in deliveries(user)} == {last}


@pytest.mark.parametrize("respelled", [False, True])
def test_a_snapshot_of_a_job_that_failed_before_its_change_set_is_taken_over(
    user: User, documents: Documents, receiver: Receiver, cluster: ControlPlane, respelled: bool
) -> None:
    shop = Shop(user, documents, receiver)
    shop.publish(8)
    with refused(cluster, user, "false", "changesets"):
        first = shop.fails("persist")
    shop.breaks()
    user.sync("shop", "Failed")
    shop.publish(8, comment="served by another machine" if respelled else "")
    second = user.sync("shop", "Changed")["metadata"]["name"]
    assert user.names("chg") == {second}
    assert user.get(f"chg/{second}")["spec"]["to"]["snapshot"] == first
    assert user.get("dep/shop")["status"]["current"]["snapshot"] == first
    assert len(user.names("snap")) == 2, "the baseline and this one"

    # The one that failed starts over when the contract has moved on, and takes nothing away.
    shop.publish(7)
    third = user.sync("shop", "Changed")["metadata"]["name"]
    user.kubectl("annotate", f"sjob/{first}", "specsync.dev/retryRequestedAt=1")
    user.wait(f"sjob/{first}", "Complete")
    assert {first, third} <= user.names("snap")


def test_a_job_that_failed_over_a_change_that_is_gone_starts_over(
    user: User, documents: Documents, receiver: Receiver, cluster: ControlPlane
) -> None:
    shop = Shop(user, documents, receiver)
    shop.publish(8)
    with refused(cluster, user, "false"):
        failed = shop.fails()
    shop.publish(9)
    user.sync("shop", "Unchanged")
    user.kubectl("annotate", f"sjob/{failed}", "specsync.dev/retryRequestedAt=1")
    user.wait(f"sjob/{failed}", "Complete")
    assert user.get(f"sjob/{failed}")["status"]["result"] == "Unchanged"
    assert (user.all("chg"), user.all("adel")) == ([], [])
