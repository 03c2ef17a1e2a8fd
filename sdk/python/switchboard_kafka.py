"""Settings and self-refreshing tokens from Switchboard for confluent-kafka.

A service says what it wants to do; Switchboard answers with clusters, topics, settings and a short-lived token. The
clients are those of confluent-kafka, made by the program; this module gives them their settings, and librdkafka asks it
for a new token whenever the one that it has comes to its end.

    lease = open_lease("https://switchboard.acme.com", token=read_token, produce=[created])
    connection = lease.connection()
    producer = Producer(connection.producer)
    producer.produce(connection.topic(created), b"paid")
"""

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable, Mapping, Optional, Sequence, Union
from urllib.parse import urlsplit

__all__ = ["Connection", "Lease", "SwitchboardError", "open_lease"]

_request_seconds = 3
_longest_wait_seconds = 60
# a broker that reads a token later than this one hands it out must still find it good
_end_margin_seconds = 5
_process_instance = f"py-{uuid.uuid4()}"


class SwitchboardError(Exception):
    """Switchboard said no, or could not be asked. No token is ever part of it.

    code: the contract's (`access_denied`, `unauthenticated`, ...), or `request_failed`, `malformed_answer`,
    `token_unavailable`, `unsupported`, `unknown_channel`, `unknown_cluster`. request_id leads the platform team to the true reason.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: Optional[int] = None,
        retryable: bool = False,
        retry_after_seconds: Optional[float] = None,
        request_id: Optional[str] = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Whoever a redirect leads to is not whom the workload's token is for."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def _resolve_url(url: str) -> str:
    parts = urlsplit(url)
    is_loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback):
        raise ValueError(f"`url` is `{parts.scheme}://{parts.hostname}`; expected https, or http on a loopback address")
    if parts.username or parts.password:
        raise ValueError("`url` has a user or a password; expected neither")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/v1/resolve"


def _problem(error: urllib.error.HTTPError) -> SwitchboardError:
    try:
        with error:
            body = json.loads(error.read(65_536))
    except (OSError, ValueError):
        body = {}
    body = body if isinstance(body, dict) else {}
    code = str(body.get("code") or "unexpected_answer")
    request_id = body.get("instance")
    parts = [f"switchboard answered {error.code} `{code}`", body.get("detail"), request_id and f"request `{request_id}`"]
    after = error.headers.get("Retry-After", "")
    return SwitchboardError(
        code,
        ": ".join(str(part) for part in parts if part),
        status=error.code,
        retryable=bool(body.get("retryable", error.code in (429, 502, 503, 504))),
        retry_after_seconds=float(after) if after.isdigit() else None,
        request_id=request_id,
    )


def _seconds(text: str) -> float:
    # what RFC 3339 ends in is nothing that Python before 3.11 reads
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp()


@dataclass(frozen=True)
class _Token:
    value: str
    began: float
    ends: float
    extensions: Mapping[str, str]

    def __repr__(self) -> str:
        return f"_Token(ends={self.ends})"

    def is_fresh(self, now: float) -> bool:
        """Less than half used: a second client of the lease need not have another."""
        return now < (self.began + self.ends) / 2

    def is_good(self, now: float) -> bool:
        return now + _end_margin_seconds < self.ends


def _registry_token_of(connection: Mapping[str, Any], now: float, skew: float) -> Optional[_Token]:
    registry = connection.get("schemaRegistry")
    if registry is None:
        return None
    credential = registry["credential"]
    kind = credential["kind"]
    if kind == "basic":
        return None
    if kind != "jwt":
        name = connection["cluster"]["name"]
        raise SwitchboardError("unsupported", f"the schema registry of `{name}` takes `{kind}`; this module does `jwt` and `basic`")
    return _Token(str(credential["token"]), now, _seconds(credential["expiresAt"]) - skew, {})


def _token_of(connection: Mapping[str, Any], now: float, skew: float) -> _Token:
    credential = connection["credential"]
    kind = credential["kind"]
    if kind not in ("jwt", "msk-iam"):
        name = connection["cluster"]["name"]
        raise SwitchboardError(
            "unsupported",
            f"cluster `{name}` hands out a credential of kind `{kind}`; this module does `jwt` and `msk-iam`, and"
            " `switchboard exec` runs a program with the others",
        )
    return _Token(str(credential["token"]), now, _seconds(credential["expiresAt"]) - skew, connection.get("extensions") or {})


class Connection:
    """One cluster of a lease. Its settings are librdkafka's own, with `oauth_cb` among them."""

    def __init__(self, answer: Mapping[str, Any], oauth_cb: Callable[[str], Any], registry_token: Callable[[], str]) -> None:
        self._answer = answer
        self._oauth_cb = oauth_cb
        self._registry_token = registry_token

    @property
    def cluster(self) -> str:
        return str(self._answer["cluster"]["name"])

    @property
    def topics(self) -> Mapping[str, str]:
        """Topic of each channel asked for."""
        return dict(self._answer.get("topics") or {})

    @property
    def patterns(self) -> Mapping[str, str]:
        """Anchored regular expression of each channel pattern asked for, as `subscribe` takes it."""
        return dict(self._answer.get("patterns") or {})

    def topic(self, channel: str) -> str:
        if channel in self.topics:
            return self.topics[channel]
        known = ", ".join(f"`{name}`" for name in self.topics) or "none"
        raise SwitchboardError("unknown_channel", f"no channel `{channel}` on cluster `{self.cluster}`; the lease has {known}")

    @property
    def client(self) -> dict:
        """For `AdminClient()`."""
        return {**self._answer["properties"], "oauth_cb": self._oauth_cb}

    @property
    def producer(self) -> dict:
        """For `Producer()`."""
        return self._role("producer")

    @property
    def consumer(self) -> dict:
        """For `Consumer()`."""
        return self._role("consumer")

    @property
    def schema_registry(self) -> dict:
        """For `SchemaRegistryClient()` of confluent_kafka.schema_registry. Tokens renew themselves; a password is the last one."""
        registry = self._answer.get("schemaRegistry")
        if registry is None:
            raise SwitchboardError(
                "unsupported",
                f"the lease has no schema registry on cluster `{self.cluster}`; expected a grant with `schemas`",
            )
        credential = registry["credential"]
        if credential["kind"] == "basic":
            return {"url": registry["url"], "basic.auth.user.info": f"{credential['username']}:{credential['password']}"}
        told = {
            "bearer.auth.logical.cluster": registry.get("logicalCluster", ""),
            "bearer.auth.identity.pool.id": registry.get("identityPoolId", ""),
        }
        return {
            "url": registry["url"],
            "bearer.auth.credentials.source": "CUSTOM",
            "bearer.auth.custom.provider.function": lambda _config: {**told, "bearer.auth.token": self._registry_token()},
            "bearer.auth.custom.provider.config": {},
        }

    def _role(self, role: str) -> dict:
        settings = self._answer.get(role)
        if settings is None:
            raise SwitchboardError("unknown_channel", f"the lease has nothing for a {role} on cluster `{self.cluster}`")
        return {**self.client, **settings}


class Lease:
    """What Switchboard gave. It is renewed when a client needs a new token; there is no thread of its own."""

    def __init__(self, ask: Callable[[Optional[str]], tuple], first: tuple) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._hold(first)

    @property
    def id(self) -> str:
        return self._id

    @property
    def connections(self) -> Sequence[Connection]:
        """One per cluster, as the last answer said."""
        return [self._connection(answer) for answer in self._answers.values()]

    def connection(self, cluster: Optional[str] = None) -> Connection:
        """The connection to a cluster; the name may be left out when there is one."""
        answers = self._answers
        names = list(answers) if cluster is None else [name for name in answers if name == cluster]
        if len(names) == 1:
            return self._connection(answers[names[0]])
        asked = "no cluster was named" if cluster is None else f"no cluster `{cluster}`"
        known = ", ".join(f"`{name}`" for name in answers)
        raise SwitchboardError("unknown_cluster", f"{asked}; the lease has {known}")

    def _connection(self, answer: Mapping[str, Any]) -> Connection:
        cluster = answer["cluster"]["name"]
        return Connection(
            answer,
            lambda _config: self._oauth_cb(cluster),
            lambda: self._token(cluster, is_registry=True).value,
        )

    def _hold(self, asked: tuple) -> None:
        answer, now, skew = asked
        try:
            lease = str(answer["lease"]["id"])
            answers = {entry["cluster"]["name"]: entry for entry in answer["connections"]}
            tokens = {name: _token_of(entry, now, skew) for name, entry in answers.items()}
            registry_tokens = {name: _registry_token_of(entry, now, skew) for name, entry in answers.items()}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # not `from`, and not its text: either could show a token
            raise SwitchboardError("malformed_answer", f"malformed answer: {type(error).__name__}") from None
        self._id, self._answers, self._tokens = lease, answers, tokens
        self._registry_tokens = {name: token for name, token in registry_tokens.items() if token is not None}

    def _oauth_cb(self, cluster: str) -> tuple:
        """librdkafka calls it when four fifths of a token's life are over, and 10 s after it has raised."""
        token = self._token(cluster)
        return token.value, token.ends, "", dict(token.extensions)

    def _token(self, cluster: str, is_registry: bool = False) -> _Token:
        with self._lock:
            held = self._held(is_registry).get(cluster)
            if held is not None and held.is_fresh(time.time()):
                return held
            try:
                self._hold(self._ask(self._id))
            except SwitchboardError:
                # what is good goes on being good while Switchboard is down
                if held is not None and held.is_good(time.time()):
                    return held
                raise
            if cluster not in self._tokens:
                raise SwitchboardError("unknown_cluster", f"the lease no longer has cluster `{cluster}`; its channels moved")
            token = self._held(is_registry).get(cluster)
            if token is None:
                raise SwitchboardError("unknown_cluster", f"the lease no longer has a token for the schema registry of `{cluster}`")
            return token

    def _held(self, is_registry: bool) -> Mapping[str, _Token]:
        return self._registry_tokens if is_registry else self._tokens


def open_lease(
    url: str,
    *,
    token: Union[str, Callable[[], str]],
    produce: Sequence[str] = (),
    consume: Sequence[str] = (),
    group: Optional[str] = None,
    profile: Optional[Mapping[str, str]] = None,
    network: Optional[str] = None,
    instance: Optional[str] = None,
    start_timeout_seconds: float = 60,
) -> Lease:
    """Asks Switchboard for a lease, and waits while it says that the access is being made (503) or is busy (429).

    url: Switchboard's base URL; https, or http on a loopback address.
    token: the workload's own OIDC token, or what returns the newest one; it is called before every request.
    instance: names this client among others of the same workload. Default: random, one per process.

    Raises SwitchboardError when Switchboard refuses, or is not there for `start_timeout_seconds`; ValueError and
    TypeError when the arguments are wrong.
    """
    if isinstance(produce, str) or isinstance(consume, str):
        raise TypeError("`produce` and `consume` are lists of channels, got a text")
    if not produce and not consume:
        raise ValueError("the intent has no channel; expected at least one in `produce` or `consume`")
    resolve_url = _resolve_url(url)
    intent = {
        "produce": list(produce),
        "consume": list(consume),
        "group": group,
        "profile": profile and dict(profile),
        "network": network,
    }
    intent = {name: value for name, value in intent.items() if value}
    client = {"instance": instance or _process_instance, "family": "librdkafka"}

    def ask(lease: Optional[str]) -> tuple:
        try:
            return send({**intent, "client": client, **({"lease": lease} if lease else {})})
        except SwitchboardError as error:
            # the lease is gone (released, or its record lost): ask for a new one
            if lease is not None and error.status == 404:
                return send({**intent, "client": client})
            raise

    def send(body: Mapping[str, Any]) -> tuple:
        try:
            workload_token = (token() if callable(token) else token).strip()
        except Exception as error:
            raise SwitchboardError("token_unavailable", "the workload's own token cannot be had", retryable=True) from error
        request = urllib.request.Request(
            resolve_url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {workload_token}"},
        )
        try:
            with _opener.open(request, timeout=_request_seconds) as response:
                answer, date = json.load(response), response.headers.get("Date")
        except urllib.error.HTTPError as error:
            # not `from`: a traceback that shows the request shows the token
            raise _problem(error) from None
        except OSError as error:
            raise SwitchboardError("request_failed", f"switchboard cannot be reached: {type(error).__name__}", retryable=True) from None
        except ValueError:
            raise SwitchboardError("malformed_answer", "malformed answer: no JSON") from None
        if not isinstance(answer, dict) or not answer.get("connections"):
            raise SwitchboardError("malformed_answer", "malformed answer: no connection")
        now = time.time()
        return answer, now, _skew(date, now)

    deadline = time.monotonic() + start_timeout_seconds
    while True:
        try:
            return Lease(ask, ask(None))
        except SwitchboardError as error:
            wait = min(error.retry_after_seconds or 1, _longest_wait_seconds)
            if not error.retryable or time.monotonic() + wait > deadline:
                raise
        time.sleep(wait)


def _skew(date: Optional[str], now: float) -> float:
    """How far Switchboard's clock is ahead of ours; a second is within what `Date` can say."""
    if not date:
        return 0
    try:
        ahead = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=timezone.utc).timestamp() - now
    except ValueError:
        return 0
    return ahead if abs(ahead) > 2 else 0
