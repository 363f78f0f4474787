"""Kubernetes Events: written once per occasion, whoever writes and however often."""

import hashlib

import structlog

from specsync.kube.client import Conflict, KubeClient, NotFound
from specsync.kube.core import Event, ObjectReference
from specsync.resources.meta import API_VERSION, ObjectMeta, Resource, now
from specsync.resources.reasons import Reason

log = structlog.get_logger()

NOTE_LIMIT = 1024  # characters, the API server's limit


class EventRecorder:
    """Writes Events as one component; `instance` is the process's id."""

    def __init__(self, client: KubeClient, component: str, instance: str) -> None:
        self._client = client
        self._component = component
        self._instance = instance

    async def record(self, about: Resource, type_: str, reason: Reason, message: str, occasion: str) -> str:
        """Writes one Event about an object and returns its name.

        `type_` is Normal or Warning. The same `occasion` (a job's uid, a change set's name, …) and reason
        give the same name, so that a second writer finds the Event there already. Raises ApiError.
        """
        meta = about.metadata
        stamp = now()
        digest = hashlib.sha256(f"{meta.uid}/{reason}/{occasion}".encode()).hexdigest()[:16]
        event = Event(
            metadata=ObjectMeta(name=f"{meta.name}.{digest}", namespace=meta.namespace),
            involved_object=ObjectReference(
                api_version=API_VERSION,
                kind=about.definition.kind,
                namespace=meta.namespace,
                name=meta.name,
                uid=meta.uid,
            ),
            type=type_,
            reason=reason,
            message=message if len(message) <= NOTE_LIMIT else message[: NOTE_LIMIT - 1] + "…",
            action=reason,
            first_timestamp=stamp,
            last_timestamp=stamp,
            reporting_component=self._component,
            reporting_instance=self._instance[:128],
            source={"component": self._component},
        )
        try:
            await self._client.create(event)
        except Conflict:
            pass
        except NotFound:
            # The namespace is gone or going: nobody is left to read it.
            log.info("event not written, its namespace is gone", namespace=meta.namespace)
        return event.metadata.name
