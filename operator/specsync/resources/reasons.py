"""The closed list of reasons: each appears in conditions, job errors, Events and logs, and is documented here once."""

from enum import StrEnum


class Reason(StrEnum):
    """A one-word cause; `meaning` is what the docs say of it, next step included."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> "Reason":
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    # Fetch
    INVALID_URL = "InvalidURL", "The URL can't be used. Correct spec.source.url."
    INVALID_CREDENTIALS = "InvalidCredentials", "The Secret's content can't be used; the message says which key."
    ADDRESS_BLOCKED = (
        "AddressBlocked",
        "The URL leads to a private or otherwise forbidden address. Ask the operator's admin for --allow-host.",
    )
    NOT_FOUND = "NotFound", "The server answered 404 or 410. Check the path in spec.source.url."
    UNAUTHORIZED = "Unauthorized", "The server answered 401. Check the credentials in spec.source.secretRef."
    FORBIDDEN = (
        "Forbidden",
        "The server answered 403. Check the rights of the credentials in spec.source.secretRef.",
    )
    HTTP_ERROR = "HTTPError", "The server refused the request with another 4xx status."
    SERVER_ERROR = (
        "ServerError",
        "The server answered 5xx. It is tried again; look at the server if it lasts.",
    )
    RATE_LIMITED = (
        "RateLimited",
        "The server asked to slow down (429, 503, or 403 with Retry-After). It is tried again later.",
    )
    TIMEOUT = "Timeout", "The download took longer than spec.source.timeout."
    DNS_FAILURE = "DNSFailure", "The host's name could not be resolved."
    CONNECTION_FAILED = "ConnectionFailed", "No connection to the server, or it was cut."
    TLS_FAILURE = (
        "TLSFailure",
        "The server's certificate was not accepted. Own CA: spec.source.certSecretRef.",
    )
    TOO_LARGE = "TooLarge", "The document is larger than the operator's limit."
    TOO_MANY_REDIRECTS = (
        "TooManyRedirects",
        "More than five redirects. Put the final address into spec.source.url.",
    )
    INSECURE_REDIRECT = "InsecureRedirect", "The server redirects from https to http, which is refused."
    DECODING_FAILED = "DecodingFailed", "The server's Content-Encoding could not be undone."
    SECRET_NOT_FOUND = "SecretNotFound", "A Secret that spec.source refers to doesn't exist in the namespace."
    SECRET_KEY_MISSING = "SecretKeyMissing", "A Secret lacks the key that is needed."
    CONFIG_MAP_NOT_FOUND = (
        "ConfigMapNotFound",
        "The ConfigMap of spec.source.configMapRef doesn't exist in the namespace.",
    )
    CONFIG_MAP_KEY_MISSING = "ConfigMapKeyMissing", "The ConfigMap lacks the key of spec.source.configMapRef."
    SERVICE_NOT_FOUND = "ServiceNotFound", "The Service of spec.source.serviceRef doesn't exist in the namespace."
    SERVICE_PORT_MISSING = "ServicePortMissing", "The Service doesn't declare the TCP port of spec.source.serviceRef."
    SERVICE_UNUSABLE = (
        "ServiceUnusable",
        "The Service is an ExternalName, headless or without a selector: it may lead anywhere, past the guard.",
    )

    # Parse and normalize
    EMPTY_DOCUMENT = "EmptyDocument", "The document is empty."
    HTML_DOCUMENT = "HTMLDocument", "The document is an HTML page, perhaps a login page."
    NOT_PARSEABLE = "NotParseable", "The document is neither JSON nor YAML; the message says where it breaks."
    NOT_OPENAPI = "NotOpenAPI", "The document is valid JSON or YAML, but no OpenAPI document."
    UNSUPPORTED_VERSION = "UnsupportedVersion", "Not Swagger 2.0 or OpenAPI 3.0, 3.1, 3.2."
    LIMIT_EXCEEDED = "LimitExceeded", "The document is nested too deep, or expands to too much."
    UNRESOLVABLE_REFERENCE = "UnresolvableReference", "A $ref within the document leads to nothing."
    INVALID = (
        "Invalid",
        "The document breaks the OpenAPI specification, and spec.validation is Strict. Have it corrected, or "
        "set Lenient.",
    )
    NOTHING_MONITORED = (
        "NothingMonitored",
        "spec.monitor selects none of the document's operations. Correct its domains and endpoints.",
    )
    RESOURCE_EXHAUSTED = (
        "ResourceExhausted",
        "Working on the document took too much memory or killed its process.",
    )

    # Pipeline
    STAGE_TIMEOUT = "StageTimeout", "A stage took longer than it may."
    DEADLINE_EXCEEDED = "DeadlineExceeded", "The job took longer than spec.activeDeadlineSeconds."
    WORKERS_DIED = (
        "WorkersDied",
        "One worker process after another died in the same stage of this job: it may be what kills them.",
    )
    API_ERROR = "APIError", "The Kubernetes API server refused or failed a request of the operator."
    BLOB_MISSING = "BlobMissing", "Stored content is gone. The next sync that looks at it stores it anew."
    BLOB_CORRUPTED = (
        "BlobCorrupted",
        "Stored content isn't what was stored. The next sync that looks at it stores it anew.",
    )
    BLOB_STORE_UNAVAILABLE = (
        "BlobStoreUnavailable",
        "The object store doesn't answer, or answers with an error of its own. It is tried again; "
        "it doesn't count against the Dependency.",
    )
    BLOB_STORE_REFUSED = (
        "BlobStoreRefused",
        "The object store refuses the operator: credentials, a missing right, or no such bucket. "
        "It doesn't count against the Dependency.",
    )
    BLOB_STORE_FULL = (
        "BlobStoreFull",
        "The object store has no room left. It is tried again; it doesn't count against the Dependency.",
    )
    NAME_CONFLICT = "NameConflict", "An object of that name exists already and isn't this job's. Delete it."
    TARGET_NOT_FOUND = "TargetNotFound", "The SyncJob's Dependency doesn't exist in its namespace."
    TARGET_DELETED = "TargetDeleted", "The SyncJob's Dependency was deleted while the job ran."
    CANCELLED = "Cancelled", "The job was cancelled by spec.cancel."
    RETRY_REFUSED = "RetryRefused", "Only a failed job can be retried; create another SyncJob instead."
    INTERNAL_ERROR = "InternalError", "A defect of the operator; its log says more. Please report it."

    # Conditions and Events
    PENDING = "Pending", "The first sync has not ended yet."
    SYNCING = "Syncing", "A sync is under way or due."
    RETRYING = "Retrying", "An attempt failed; the message says why and when the next one is."
    SYNCED = "Synced", "The latest sync succeeded."
    SUSPENDED = "Suspended", "spec.suspend is true: no scheduled sync."
    PAUSED = (
        "Paused",
        "Too many failed syncs in a row: no scheduled sync. Fix the cause, then ask for a sync.",
    )
    DEGRADED = "Degraded", "Several failed syncs in a row."
    UNHEALTHY = "Unhealthy", "Many failed syncs in a row."
    RECOVERED = "Recovered", "A sync succeeded after failures."
    VALID = "Valid", "The document is what the OpenAPI specification asks for; there may be warnings."
    DEFECTS = (
        "Defects",
        "The document breaks the OpenAPI specification in places; monitoring goes on. "
        "See: kubectl specsync snapshot findings dep/NAME.",
    )
    NOT_JUDGED = "NotJudged", "Judging the document took too much memory or time; monitoring goes on."
    MONITOR_UNMATCHED = (
        "MonitorUnmatched",
        "Some of spec.monitor's domains or endpoints fit no operation of the document. Correct or remove them.",
    )
    EXTERNAL_REFS_IGNORED = (
        "ExternalRefsIgnored",
        "The document refers to other files, and what stands there isn't monitored. See spec.source.externalRefs.",
    )
    INTERVAL_CLAMPED = (
        "IntervalClamped",
        "spec.interval is shorter than the operator's --min-interval, which is used instead.",
    )
    BASELINE_CREATED = (
        "BaselineCreated",
        "A snapshot was taken that later ones are compared with: the first one, or a new start; the message says why.",
    )
    CONTRACT_CHANGED = "ContractChanged", "The contract changed, breaking nothing."
    BREAKING_CHANGE = "BreakingChange", "The contract changed in a way that breaks its users."
    SYNC_FAILED = "SyncFailed", "A sync failed, after its retries."

    # Alerts
    DELIVERED = "Delivered", "The latest message was taken by the channel's service."
    CHANNEL_FAILING = (
        "ChannelFailing",
        "An AlertChannel takes no messages; they wait. Mend what the message says.",
    )
    CHANNEL_RECOVERED = "ChannelRecovered", "An AlertChannel takes messages again."
    CHANNEL_UNAVAILABLE = (
        "ChannelUnavailable",
        "This installation lacks what that type of AlertChannel needs, or doesn't allow it.",
    )
    CHANNEL_NOT_FOUND = "ChannelNotFound", "The AlertChannel of a delivery doesn't exist."
    DELIVERY_FAILED = (
        "DeliveryFailed",
        "An AlertDelivery was given up. Mend the channel, then send it again by the annotation retryRequestedAt.",
    )
    WORKER_LOST = (
        "WorkerLost",
        "The worker that sent a message went away before it could record how that went; it is sent again.",
    )
    CONFIGURED = "Configured", "The AlertChannel looks right; nothing was sent by it yet."
    ACKNOWLEDGED = "Acknowledged", "The change set was acknowledged before this was due: not sent."
    TAKEN_BACK = "TakenBack", "The change was taken back before this was due: not sent."
    OPTED_OUT = "OptedOut", "The Dependency has spec.alerts: Disabled since: not sent."
    SUCCEEDED = "Succeeded", "The job ended well."
    RUNNING = "Running", "The job has not ended."
