"""The body of a webhook as a CloudEvent 1.0 in structured mode.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md Signed like any other webhook: the
two specifications fit on top of each other.
"""

from typing import Any

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"


def cloud_event(envelope_id: str, type_: str, time: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    """The event around `data`. `type_` in our reverse domain; source and id make it unique, as the specification asks.

    `subject` is `namespace/name` of what it is about.
    """
    namespace, _, name = subject.partition("/")
    return {
        "specversion": "1.0",
        "id": envelope_id,
        "source": f"/apis/specsync.dev/v1alpha1/namespaces/{namespace}",
        "type": f"dev.{type_}",
        **({"subject": name} if name else {}),
        "time": time,
        "datacontenttype": "application/json",
        "data": data,
    }
