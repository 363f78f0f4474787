"""Rights as the API server's authorizer sees them, and those that the operator's identities are meant to have."""

import json

from devcluster import ControlPlane
from tests.conftest import OPERATOR_NAMESPACE

GROUP = "specsync.dev"

Right = tuple[str, str, str]  # verb, API group, resource


def rights(verbs: str, group: str, *resources: str) -> set[Right]:
    return {(verb, group, resource) for verb in verbs.split() for resource in resources}


CONTROLLER = (
    rights("get list watch", GROUP, "dependencies", "syncjobs", "specsnapshots", "changesets")
    | rights("get update", GROUP, "dependencies/status", "syncjobs/status")
    | rights("create patch delete deletecollection", GROUP, "syncjobs")
    | rights("delete", GROUP, "specsnapshots", "changesets", "alertdeliveries")
    | rights("get list watch", GROUP, "alertchannels", "alertpreferences", "alertdeliveries")
    | rights("create", GROUP, "alertdeliveries")
    | rights("get patch", GROUP, "alertdeliveries/status")
    | rights("create", "", "events")
)
WORKER = (
    rights("get", GROUP, "dependencies", "dependencies/status")
    | rights("get list watch", GROUP, "syncjobs")
    | rights("get update", GROUP, "syncjobs/status")
    | rights("get list create", GROUP, "specsnapshots", "changesets")
    | rights("list", GROUP, "alertpreferences")
    | rights("get list watch", GROUP, "alertchannels", "alertdeliveries")
    | rights("create", GROUP, "alertdeliveries")
    | rights("get patch", GROUP, "alertchannels/status")
    | rights("get update patch", GROUP, "alertdeliveries/status")
    | rights("get create patch delete", "", "configmaps")
    | rights("get", "", "secrets", "services")
    | rights("create", "", "events")
)
LEASES = rights("get list create patch delete", "coordination.k8s.io", "leases")


def granted_to(cluster: ControlPlane, who: tuple[str, ...], stranger: tuple[str, ...], namespace: str) -> set[Right]:
    """What an identity may do with resources in a namespace, but for what every identity of its sort may."""
    return _rights_of(cluster, who, namespace) - _rights_of(cluster, stranger, namespace)


def _rights_of(cluster: ControlPlane, who: tuple[str, ...], namespace: str) -> set[Right]:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    words = ("create", "--validate=ignore", "-f", "-", "-o", "json")
    answer = cluster.kubectl(*who, *words, stdin=json.dumps(review))
    status = json.loads(answer)["status"]
    assert not status["incomplete"]
    return {
        (verb, group, resource)
        for rule in status["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def service_account(role: str) -> tuple[str, ...]:
    # A token's groups too, for rights can be bound to them.
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{OPERATOR_NAMESPACE}", "system:authenticated")
    flags = tuple(f"--as-group={group}" for group in groups)
    return (f"--as=system:serviceaccount:{OPERATOR_NAMESPACE}:specsync-{role}", *flags)


STRANGER = service_account("stranger")
