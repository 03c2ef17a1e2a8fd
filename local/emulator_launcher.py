"""Runs the AWS emulator, and notes what AssumeRole answers for the broker that checks signatures made with it.

One JSON object a line, in a file that only its user may read; the emulator keeps its sessions in memory alone.
"""

import json
import os

from ministack import app
from ministack.core.iam_evaluator import _resolve_managed_policy_document
from ministack.services import iam, sts

register_session = sts.register_session


def documents(values):
    return [json.loads(value) if isinstance(value, str) else value for value in values if value]


def managed(arns, account):
    return [_resolve_managed_policy_document(arn, account) for arn in arns]


def policies_of_role(arn, account):
    role = iam._roles.get_scoped(account, None, arn.split("/")[1]) or {}
    return documents([*(role.get("InlinePolicies") or {}).values(), *managed(role.get("AttachedPolicies", []), account)])


def register_and_note(access_key, session):
    # functions have sessions too, which no AssumeRole gave out
    if "SourcePrincipalArn" in session and ":assumed-role/" in session["Arn"]:
        passed = session.get("SessionPolicies")
        account = session["AccountId"]
        note = {
            "accessKeyId": access_key,
            "secretAccessKey": session["SecretAccessKey"],
            "sessionToken": session["SessionToken"],
            "expiration": int(session["Expiration"]),
            "arn": session["Arn"],
            "rolePolicies": policies_of_role(session["Arn"], account),
            "sessionPolicies": passed and documents([passed["Policy"], *managed(passed["PolicyArns"], account)]),
        }
        os.write(notes, f"{json.dumps(note)}\n".encode())
    register_session(access_key, session)


notes = os.open(os.environ["STS_SESSIONS_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
sts.register_session = register_and_note

# With TLS it also takes port 443 where it may, which is not its own here; and of two that start at once the one that is
# too late for it finds its own port taken, by itself.
app._port_is_bindable = lambda *_: False
app.main()
