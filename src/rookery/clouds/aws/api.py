"""AWS's APIs, each call one request: no retries below, and every way to say no told apart.

botocore would send a call again by itself, one that ran into its time limit too. Here each has one try and a
limit; what may be tried again is said by the kind of the error (`clouds/patience.py`). The codes are those of
docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and of ELB's reference.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from rookery.clouds.cloud import BusyError, CloudError, SoldOutError, TokenError, UnsureError
from rookery.errors import RookeryError

Thing = Mapping[str, Any]

_CONNECT, _READ = 10.0, 60.0  # seconds to a connection, and to an answer over it
_AT_ONCE = 64

_NOT_LET_IN = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_MAY_NOT = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_TOO_MANY = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# What is under way with a thing, or hangs on it, and ends by itself.
_BUSY = frozenset(
    {
        "DependencyViolation",
        "IncorrectInstanceState",
        "IncorrectState",
        "InvalidIPAddress.InUse",
        "InvalidNetworkInterface.InUse",
        "InvalidPlacementGroup.InUse",
        "InvalidTarget",
        "OperationInProgress",
        "ResourceInUse",
        "VolumeInUse",
    }
)
_TAKEN = frozenset(
    {
        "DuplicateListener",
        "DuplicateLoadBalancerName",
        "DuplicateTargetGroupName",
        "InvalidGroup.Duplicate",
        "InvalidKeyPair.Duplicate",
        "InvalidPermission.Duplicate",
        "InvalidPlacementGroup.Duplicate",
        "InvalidSubnet.Conflict",
        "Resource.AlreadyAssociated",
        "RouteAlreadyExists",
    }
)
_GONE = frozenset(
    {
        "Gateway.NotAttached",
        "InvalidPlacementGroup.Unknown",
        "ListenerNotFound",
        "LoadBalancerNotFound",
        "TargetGroupNotFound",
    }
)
_SOLD_OUT = frozenset({"InsufficientCapacity", "InsufficientHostCapacity", "InsufficientInstanceCapacity"})
_LIMITS = frozenset(
    {
        "AddressLimitExceeded",
        "InstanceLimitExceeded",
        "InternetGatewayLimitExceeded",
        "MaxSpotInstanceCountExceeded",
        "TooManyLoadBalancers",
        "VcpuLimitExceeded",
        "VolumeLimitExceeded",
        "VpcLimitExceeded",
    }
)


class GoneError(CloudError):
    """There is no such thing; of one that was just made AWS may say so for some seconds."""


class TakenError(CloudError):
    """There is one already: of that name, that rule, that address."""


class WouldError(CloudError):
    """The call was a trial (`DryRun`), and would have been let through."""


class AwsApi:
    """An account of AWS in one region, by the usual credentials of boto3.

    With `endpoint_url` all services are asked there.
    """

    def __init__(self, region: str, *, endpoint_url: str = "", read_timeout: float = _READ) -> None:
        self.region = region
        self._endpoint_url = endpoint_url
        self._read_timeout = read_timeout
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def call(self, service: str, operation: str, what: str, **asked: Any) -> Thing:
        """Return what one call answers; `what` says for errors what it was about.

        Raises TokenError or a CloudError: GoneError, TakenError, BusyError, UnsureError, SoldOutError.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return self._send(service, operation, asked)
        except ResponseParserError:
            # Somebody in between has answered, or AWS in a bad moment.
            raise UnsureError(f"{what}: the answer is none of AWS'") from None
        except ClientError as error:
            raise _told(what, error.response) from None
        except BotoCoreError as error:
            raise _unanswered(what, error) from None

    def _send(self, service: str, operation: str, asked: Mapping[str, Any]) -> Thing:
        answer: Thing = getattr(self._client(service), operation)(**asked)
        return answer

    def pages(self, service: str, operation: str, key: str, what: str, **asked: Any) -> Iterator[Any]:
        """Yield what a list has below `key`, page after page."""
        token: dict[str, str] = {}
        while True:
            answer = self.call(service, operation, what, **asked, **token)
            yield from answer.get(key) or ()
            if answer.get("NextToken"):
                token = {"NextToken": answer["NextToken"]}
            elif answer.get("NextMarker"):
                token = {"Marker": answer["NextMarker"]}
            else:
                return

    def _client(self, service: str) -> Any:
        from botocore.config import Config

        # A session makes one client at a time; clients are for all threads.
        with self._lock:
            if self._session is None:
                self._session = _session(self.region)
            if service not in self._clients:
                config = Config(
                    connect_timeout=_CONNECT,
                    read_timeout=self._read_timeout,
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    max_pool_connections=_AT_ONCE,
                )
                self._clients[service] = self._session.client(
                    service, endpoint_url=self._endpoint_url or None, config=config
                )
            return self._clients[service]


def _session(region: str) -> Any:
    """Return a session by the credentials of the environment and of AWS' own files.

    A server of AWS' that this may run on is not asked for its role's: elsewhere that is a request into
    whatever network this machine is in, and a wait.
    """
    import boto3
    import botocore.session

    core: Any = botocore.session.get_session()
    core.get_component("credential_provider").remove("iam-role")
    return boto3.session.Session(botocore_session=core, region_name=region)


def require_credentials() -> None:
    """Raise TokenError where neither the environment nor AWS' own files have credentials; nobody is asked."""
    from botocore.exceptions import BotoCoreError

    try:
        found = _session("us-east-1").get_credentials()
    except BotoCoreError as error:
        raise _unanswered("credentials", error) from None
    if found is None:
        raise TokenError(
            "AWS needs credentials",
            hint="`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )


def _told(what: str, answer: Mapping[str, Any]) -> RookeryError:
    """Return the error for what AWS said."""
    error = answer.get("Error") or {}
    code, message = str(error.get("Code", "")), str(error.get("Message", "")).partition(" Encoded ")[0]
    said = f"{what}: {message.rstrip('.') or 'refused'} ({code})"
    status = int((answer.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0)
    if code in _NOT_LET_IN:
        return TokenError(
            f"AWS does not let one in ({code})",
            hint="`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Is this clock right?",
        )
    if code in _MAY_NOT:
        return TokenError(
            f"{what}: these credentials may not do that ({code})",
            hint="Give their user or role the right (docs/decisions/0066-aws.md has all that are needed).",
        )
    for codes, kind, hint in _KINDS:
        if code in codes:
            return kind(said, hint=hint) if hint else kind(said)
    if code.endswith(".NotFound"):
        return GoneError(said)
    return UnsureError(said) if status >= 500 else CloudError(said)


_KINDS: tuple[tuple[frozenset[str], type[CloudError], str], ...] = (
    (_TOO_MANY | _BUSY, BusyError, ""),
    (_TAKEN, TakenError, ""),
    (_GONE, GoneError, ""),
    (frozenset({"DryRunOperation"}), WouldError, ""),
    (
        _SOLD_OUT,
        SoldOutError,
        "Other types or another zone may be had: `rookery down`, then again with ROOKERY_AWS_ZONE.",
    ),
    (_LIMITS, CloudError, "Ask for more: AWS Console, Service Quotas. It may take a day."),
)


def _unanswered(what: str, error: Exception) -> RookeryError:
    """Return the error for a call that has no answer of AWS'."""
    from botocore.exceptions import (
        ConnectionError as NotConnected,
    )
    from botocore.exceptions import (
        CredentialRetrievalError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
        TokenRetrievalError,
    )

    name = type(error).__name__
    if isinstance(
        error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError | TokenRetrievalError
    ):
        return TokenError(
            f"AWS needs credentials ({name})",
            hint="`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        )
    if isinstance(error, NotConnected | HTTPClientError):
        return UnsureError(f"{what}: no answer of AWS ({name})")
    return CloudError(f"{what}: AWS cannot be asked ({name})")
