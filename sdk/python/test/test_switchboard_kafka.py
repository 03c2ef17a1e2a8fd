import json
import sys
import threading
import time
import traceback
import unittest
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))

from switchboard_kafka import SwitchboardError, open_lease  # noqa: E402

created = "kafka://payments.acme.com/orders/created"
orders = "kafka://payments.acme.com/orders/**"


def connection(token="kafka-token-1", life=600, cluster="analytics", kind="msk-iam", **members):
    ends = datetime.now(timezone.utc) + timedelta(seconds=life)
    return {
        "cluster": {"name": cluster, "provider": "msk"},
        "topics": {created: "orders.created"},
        "patterns": {orders: "^orders\\.[^.]+$"},
        "properties": {"bootstrap.servers": "kafka-1.acme.com:9098", "sasl.mechanism": "OAUTHBEARER"},
        "producer": {"acks": "all"},
        "consumer": {"group.id": "orders-api"},
        "credential": {"kind": kind, "token": token, "expiresAt": ends.isoformat().replace("+00:00", "Z")},
        **members,
    }


def answer(*connections):
    return 200, {"lease": {"id": "lease_1"}, "connections": list(connections)}, {}


def problem(status, code, retryable=False, **headers):
    body = {"code": code, "detail": "said so", "instance": "urn:request:r-1", "retryable": retryable}
    return status, body, {name.replace("_", "-"): value for name, value in headers.items()}


class SimulatedSwitchboard:
    """Answers from a script; the last reply answers all that follow."""

    def __init__(self, replies):
        self.replies, self.requests = list(replies), []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, self.headers["Authorization"], body))
                status, reply, headers = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.encode() if isinstance(reply, str) else json.dumps(reply).encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class LeaseTest(unittest.TestCase):
    def pass_seconds(self, seconds):
        """From now on it is that much later, to whoever looks at the clock."""
        now = time.time
        later = mock.patch("time.time", lambda: now() + seconds)
        later.start()
        self.addCleanup(later.stop)

    def switchboard(self, *replies):
        simulated = SimulatedSwitchboard(replies)
        self.addCleanup(simulated.close)
        return simulated

    def open(self, simulated, **arguments):
        return open_lease(simulated.url, **{"token": "workload.token", "produce": [created], **arguments})

    def refusal(self, simulated, **arguments):
        with self.assertRaises(SwitchboardError) as caught:
            self.open(simulated, **arguments)
        return caught.exception

    def test_says_the_intent_and_shows_the_newest_token_of_the_workload(self):
        simulated = self.switchboard(answer(connection()))
        self.open(simulated, token=lambda: "workload.token.2\n", consume=[orders], group="orders-api-1", network="vpc-1", instance="pod-1")
        path, authorization, body = simulated.requests[0]
        self.assertEqual((path, authorization), ("/v1/resolve", "Bearer workload.token.2"))
        client = {"instance": "pod-1", "family": "librdkafka"}
        self.assertEqual(
            body,
            {"produce": [created], "consume": [orders], "group": "orders-api-1", "network": "vpc-1", "client": client},
        )

    def test_gives_settings_and_a_callback_for_each_kind_of_client(self):
        found = self.open(self.switchboard(answer(connection(extensions={"logicalCluster": "lkc-1"})))).connection()
        self.assertEqual(found.topic(created), "orders.created")
        self.assertEqual(found.patterns, {orders: "^orders\\.[^.]+$"})
        for settings, own in ((found.producer, {"acks": "all"}), (found.consumer, {"group.id": "orders-api"}), (found.client, {})):
            callback = settings.pop("oauth_cb")
            self.assertEqual(settings, {"bootstrap.servers": "kafka-1.acme.com:9098", "sasl.mechanism": "OAUTHBEARER", **own})
            token, ends, principal, extensions = callback("")
            self.assertEqual((token, principal, extensions), ("kafka-token-1", "", {"logicalCluster": "lkc-1"}))
            self.assertAlmostEqual(ends, time.time() + 600, delta=5)

    def registry(self, **credential):
        return {
            "url": "https://registry.acme.com",
            "logicalCluster": "lsrc-1",
            "identityPoolId": "pool-1",
            "credential": {"kind": "jwt", "token": "registry-token-1", **credential},
        }

    def test_gives_a_schema_registry_client_the_token_of_now(self):
        ends = (datetime.now(timezone.utc) + timedelta(seconds=2)).isoformat()
        later = (datetime.now(timezone.utc) + timedelta(seconds=600)).isoformat()
        simulated = self.switchboard(
            answer(connection(schemaRegistry=self.registry(expiresAt=ends))),
            answer(connection(schemaRegistry=self.registry(token="registry-token-2", expiresAt=later))),
        )
        settings = self.open(simulated).connection().schema_registry
        fields = settings.pop("bearer.auth.custom.provider.function")
        told = {"bearer.auth.logical.cluster": "lsrc-1", "bearer.auth.identity.pool.id": "pool-1"}
        self.assertEqual(
            settings,
            {
                "url": "https://registry.acme.com",
                "bearer.auth.credentials.source": "CUSTOM",
                "bearer.auth.custom.provider.config": {},
            },
        )
        self.assertEqual(fields({}), {**told, "bearer.auth.token": "registry-token-1"})
        self.pass_seconds(1.1)
        self.assertEqual(fields({}), {**told, "bearer.auth.token": "registry-token-2"})

    def test_gives_a_schema_registry_client_a_user_and_a_password(self):
        credential = {"kind": "basic", "username": "orders-api", "password": "p:1"}
        registry = {"url": "https://registry.acme.com", "credential": credential}
        found = self.open(self.switchboard(answer(connection(schemaRegistry=registry)))).connection()
        self.assertEqual(
            found.schema_registry,
            {"url": "https://registry.acme.com", "basic.auth.user.info": "orders-api:p:1"},
        )

    def test_says_that_a_grant_is_missing_where_there_is_no_schema_registry(self):
        found = self.open(self.switchboard(answer(connection()))).connection()
        with self.assertRaisesRegex(SwitchboardError, "expected a grant with `schemas`"):
            found.schema_registry

    def test_renews_the_lease_when_half_of_a_token_is_used_and_not_before(self):
        simulated = self.switchboard(answer(connection(life=2)), answer(connection("kafka-token-2")))
        callback = self.open(simulated).connection().producer["oauth_cb"]
        self.assertEqual(callback("")[0], "kafka-token-1")
        self.assertEqual(len(simulated.requests), 1)
        self.pass_seconds(1.1)
        self.assertEqual(callback("")[0], "kafka-token-2")
        self.assertEqual(callback("")[0], "kafka-token-2")
        self.assertEqual([body.get("lease") for _, _, body in simulated.requests], [None, "lease_1"])

    def test_asks_once_when_several_clients_need_a_token(self):
        simulated = self.switchboard(answer(connection(life=0.1)), answer(connection("kafka-token-2")))
        callback = self.open(simulated).connection().producer["oauth_cb"]
        self.pass_seconds(0.2)
        threads = [threading.Thread(target=callback, args=("",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(simulated.requests), 2)

    def test_hands_out_a_good_token_while_switchboard_is_down_and_never_one_that_is_over(self):
        simulated = self.switchboard(answer(connection(life=12)), problem(503, "unavailable", True))
        lease = self.open(simulated)
        callback = lease.connection().producer["oauth_cb"]
        self.pass_seconds(6.2)
        self.assertEqual(callback("")[0], "kafka-token-1")
        self.pass_seconds(1)
        with self.assertRaises(SwitchboardError) as caught:
            callback("")
        self.assertEqual(caught.exception.code, "unavailable")

    def test_opens_another_lease_when_its_own_is_gone(self):
        simulated = self.switchboard(answer(connection(life=0.1)), problem(404, "not_found"), answer(connection("kafka-token-2")))
        callback = self.open(simulated).connection().producer["oauth_cb"]
        self.pass_seconds(0.2)
        self.assertEqual(callback("")[0], "kafka-token-2")
        self.assertEqual([body.get("lease") for _, _, body in simulated.requests], [None, "lease_1", None])

    def test_says_so_when_channels_moved_to_another_cluster(self):
        simulated = self.switchboard(answer(connection(life=0.1)), answer(connection(cluster="confluent")))
        lease = self.open(simulated)
        callback = lease.connection().producer["oauth_cb"]
        self.pass_seconds(0.2)
        with self.assertRaises(SwitchboardError) as caught:
            callback("")
        self.assertEqual(caught.exception.code, "unknown_cluster")
        self.assertEqual(lease.connection().cluster, "confluent")

    def test_waits_at_start_as_long_as_switchboard_says(self):
        simulated = self.switchboard(problem(503, "credential_not_ready", True, Retry_After="1"), answer(connection()))
        began = time.monotonic()
        self.open(simulated)
        self.assertGreaterEqual(time.monotonic() - began, 1)
        self.assertEqual(self.refusal(self.switchboard(problem(503, "unavailable", True)), start_timeout_seconds=0).code, "unavailable")

    def test_tells_a_refusal_at_once(self):
        simulated = self.switchboard(problem(403, "access_denied"))
        refused = self.refusal(simulated)
        self.assertEqual((refused.code, refused.status, refused.request_id, refused.retryable), ("access_denied", 403, "urn:request:r-1", False))
        self.assertEqual(str(refused), "switchboard answered 403 `access_denied`: said so: request `urn:request:r-1`")
        self.assertEqual(len(simulated.requests), 1)

    def test_follows_no_redirect(self):
        other = self.switchboard(answer(connection()))
        refused = self.refusal(self.switchboard((302, "", {"Location": f"{other.url}/v1/resolve"})))
        self.assertEqual((refused.code, refused.status), ("unexpected_answer", 302))
        self.assertEqual(other.requests, [])

    def test_believes_no_answer_that_is_none(self):
        no_lease = {"connections": [connection()]}
        no_end = {"lease": {"id": "l"}, "connections": [connection(credential={"kind": "jwt", "token": "kafka-token"})]}
        for reply in ("kafka-token", [], {}, {"lease": {"id": "l"}, "connections": []}, no_lease, no_end):
            refused = self.refusal(self.switchboard((200, reply, {})))
            self.assertEqual(refused.code, "malformed_answer")
            self.assertNotIn("kafka-token", str(refused))

    def test_goes_on_with_what_is_good_when_the_workload_has_no_token(self):
        tokens = iter(["workload.token"])
        lease = self.open(self.switchboard(answer(connection(life=20))), token=lambda: next(tokens))
        self.pass_seconds(10.2)
        self.assertEqual(lease.connection().producer["oauth_cb"]("")[0], "kafka-token-1")
        with self.assertRaises(SwitchboardError) as caught:
            self.open(self.switchboard(answer(connection())), token=lambda: next(tokens), start_timeout_seconds=0)
        self.assertEqual(caught.exception.code, "token_unavailable")

    def test_has_no_token_in_errors_and_prints(self):
        simulated = self.switchboard(answer(connection(life=0.1)), problem(401, "unauthenticated"))
        lease = self.open(simulated, token="workload.secret")
        found = lease.connection()
        self.pass_seconds(0.2)
        try:
            found.producer["oauth_cb"]("")
        except SwitchboardError:
            shown = traceback.format_exc()
        shown += repr([lease, found, found.producer, lease._tokens])
        self.assertNotIn("kafka-token", shown)
        self.assertNotIn("workload.secret", shown)

    def test_names_what_it_cannot_do(self):
        scram = connection(credential={"kind": "scram", "username": "u", "password": "kafka-password", "slot": "a"})
        refused = self.refusal(self.switchboard(answer(scram)))
        self.assertEqual(refused.code, "unsupported")
        self.assertIn("kind `scram`", str(refused))

    def test_names_clusters_channels_and_roles_that_the_lease_does_not_have(self):
        lease = self.open(self.switchboard(answer(connection(), connection(cluster="payments", producer=None))))
        self.assertEqual(lease.connection("payments").cluster, "payments")
        for call in (
            lambda: lease.connection(),
            lambda: lease.connection("other"),
            lambda: lease.connection("analytics").topic("kafka://a/b"),
            lambda: lease.connection("payments").producer,
        ):
            with self.assertRaises(SwitchboardError):
                call()

    def test_refuses_wrong_arguments(self):
        for error, url, arguments in (
            (ValueError, "http://switchboard.acme.com", {"produce": [created]}),
            (ValueError, "https://user:secret@switchboard.acme.com", {"produce": [created]}),
            (ValueError, "https://switchboard.acme.com", {}),
            (TypeError, "https://switchboard.acme.com", {"produce": created}),
        ):
            with self.assertRaises(error) as caught:
                open_lease(url, token="workload.token", **arguments)
            self.assertNotIn("secret", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
