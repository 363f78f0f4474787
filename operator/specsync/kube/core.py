"""The few built-in kinds that the operator uses, with the fields that it reads or writes."""

import datetime as dt
from typing import Any, ClassVar

from msgspec import field

from specsync.resources.meta import FrozenStruct, ObjectMeta


class ConfigMap(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    api: ClassVar[tuple[str, str]] = ("api/v1", "configmaps")
    api_version: str = field(default="v1")
    kind: str = "ConfigMap"
    metadata: ObjectMeta
    data: dict[str, str] = {}
    binary_data: dict[str, bytes] = {}
    immutable: bool | None = None


class Secret(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    api: ClassVar[tuple[str, str]] = ("api/v1", "secrets")
    api_version: str = "v1"
    kind: str = "Secret"
    metadata: ObjectMeta
    data: dict[str, bytes] = {}


class LeaseSpec(FrozenStruct, frozen=True, kw_only=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """https://kubernetes.io/docs/concepts/architecture/leases/"""

    api: ClassVar[tuple[str, str]] = ("apis/coordination.k8s.io/v1", "leases")
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"
    metadata: ObjectMeta
    spec: LeaseSpec = LeaseSpec()


class ObjectReference(FrozenStruct, frozen=True, kw_only=True):
    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class Event(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A core/v1 Event, which `kubectl describe` shows."""

    api: ClassVar[tuple[str, str]] = ("api/v1", "events")
    api_version: str = "v1"
    kind: str = "Event"
    metadata: ObjectMeta
    involved_object: ObjectReference
    type: str
    reason: str
    message: str
    action: str
    first_timestamp: dt.datetime
    last_timestamp: dt.datetime
    count: int = field(default=1)
    reporting_component: str
    reporting_instance: str
    source: dict[str, Any] = {}


class ServicePort(FrozenStruct, frozen=True, kw_only=True):
    port: int
    protocol: str = "TCP"


class ServiceSpec(FrozenStruct, frozen=True, kw_only=True):
    type: str = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    selector: dict[str, str] = {}
    ports: list[ServicePort] = []


class Service(FrozenStruct, frozen=True, kw_only=True):
    """The part of a Service that says where it is. https://kubernetes.io/docs/concepts/services-networking/service/"""

    api: ClassVar[tuple[str, str]] = ("api/v1", "services")
    metadata: ObjectMeta
    spec: ServiceSpec = ServiceSpec()


class Namespace(FrozenStruct, frozen=True, kw_only=True):
    api: ClassVar[tuple[str, str]] = ("api/v1", "namespaces")
    metadata: ObjectMeta


class PartialObject(FrozenStruct, frozen=True, kw_only=True):
    """An object of any kind, of which only the metadata was asked for."""

    metadata: ObjectMeta
