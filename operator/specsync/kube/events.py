"""Kubernetes Events: written once per occasion, whoever writes and however often."""

import hashlib

import structlog

from specsync.kube.client import ApiError, Conflict, KubeClient
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
        give the same name, so that a second writer finds the Event there already. One that is refused is left out.
        Raises ApiError where nobody knows whether it was written.
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
        except ApiError as error:
            if error.unknown:
                raise
            # Its namespace is gone or going, or a quota or a policy is against it: nothing is to wait for that.
            log.warning("event refused", about=f"{meta.namespace}/{meta.name}", reason=str(reason), error=str(error))
        return event.metadata.name
