"""Where a contract is: the part of a Dependency that says what is fetched, and with which credentials."""

import hashlib
from typing import Annotated, Literal

from msgspec import Meta

from specsync.resources.meta import Duration, FrozenStruct, ObjectName, duration_rule, name_rule, rules


class SecretReference(FrozenStruct, frozen=True, kw_only=True):
    name: Annotated[
        ObjectName,
        Meta(description="Name of a Secret in the same namespace.", extra_json_schema=name_rule("a Secret")),
    ]


class ConfigMapKeyReference(FrozenStruct, frozen=True, kw_only=True):
    name: Annotated[
        ObjectName,
        Meta(description="Name of a ConfigMap in the same namespace.", extra_json_schema=name_rule("a ConfigMap")),
    ]
    key: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=253,
            description="Key in its data or binaryData.",
            extra_json_schema=rules(
                (
                    "self.matches('^[-._a-zA-Z0-9]+$')",
                    "must be a key of a ConfigMap: letters, digits, '-', '_' and '.', for example openapi.yaml",
                )
            ),
        ),
    ]


class ServiceReference(FrozenStruct, frozen=True, kw_only=True):
    name: Annotated[
        ObjectName,
        Meta(description="Name of a Service in the same namespace.", extra_json_schema=name_rule("a Service")),
    ]
    port: Annotated[int, Meta(ge=1, le=65535, description="A TCP port that the Service declares.")]
    scheme: Annotated[Literal["http", "https"], Meta(description="http or https. Default http.")] = "http"
    path: Annotated[
        str,
        Meta(
            max_length=1024,
            description="Path of the document, from '/' on; may have a query.",
            extra_json_schema=rules(
                (
                    r"self.matches('^/[^#\\s]*$')",
                    "path must begin with '/' and have no spaces and no '#', for example /openapi.json",
                )
            ),
        ),
    ]


class Source(FrozenStruct, frozen=True, kw_only=True):
    url: (
        Annotated[
            str,
            Meta(
                max_length=2048,
                description="Where the document is: http or https, without user info (put credentials into a Secret).",
                extra_json_schema=rules(
                    (
                        r"self.matches('^https?://[^/?#\\s]+([/?][^#\\s]*)?$') && isURL(self)"
                        " && url(self).getHostname() != ''",
                        "url must be http or https with a host, without spaces and '#',"
                        " for example https://api.example.com/openapi.json",
                    ),
                    (
                        "!self.matches('^[a-zA-Z][-+.a-zA-Z0-9]*://[^/?#]*@')",
                        "url must not hold user info: put the credentials into a Secret and name it in secretRef",
                    ),
                ),
            ),
        ]
        | None
    ) = None
    config_map_ref: (
        Annotated[ConfigMapKeyReference, Meta(description="A key of a ConfigMap that holds the document.")] | None
    ) = None
    service_ref: (
        Annotated[ServiceReference, Meta(description="A Service in the same namespace that serves the document.")]
        | None
    ) = None
    timeout: Annotated[
        Duration,
        Meta(
            description="Total time for one download, 1s to 5m. Default 60s.",
            extra_json_schema=duration_rule(
                "1s", "timeout must be a duration between 1s and 5m, for example 60s", longest="5m"
            ),
        ),
    ] = "60s"
    secret_ref: (
        Annotated[
            SecretReference,
            Meta(
                description="A Secret with the credentials for url or serviceRef;"
                " keys bearerToken, or username and password, and header.<Name>."
            ),
        ]
        | None
    ) = None
    cert_secret_ref: (
        Annotated[
            SecretReference,
            Meta(
                description="A Secret with certificates for url or serviceRef; keys ca.crt (the authority to trust),"
                " and tls.crt and tls.key (the client's own)."
            ),
        ]
        | None
    ) = None

    external_refs: Annotated[
        Literal["Ignore", "SameOrigin"],
        Meta(
            description="What a $ref into another file means: Ignore leaves it alone and says so in the condition"
            " ExternalRefsIgnored; SameOrigin fetches the file where it has the scheme, host and port of the document"
            " (for a configMapRef: is a key of that ConfigMap), and joins it. Default Ignore."
        ),
    ] = "Ignore"

    def digest(self) -> str:
        """Identifies where the document is from, without telling it: a URL's query may hold a secret."""
        if self.service_ref is not None:
            ref = self.service_ref
            text = f"service/{ref.scheme}/{ref.name}:{ref.port}{ref.path}"
            return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        identity = self.url if self.config_map_ref is None else f"{self.config_map_ref.name}/{self.config_map_ref.key}"
        return "sha256:" + hashlib.sha256(f"{self.url is None}/{identity}".encode()).hexdigest()
