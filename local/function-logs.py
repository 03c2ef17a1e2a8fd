"""Prints what the functions of a stack wrote to CloudWatch Logs, oldest first, a group after the other."""

import sys

import botocore.session

logs = botocore.session.get_session().create_client("logs")
for page in logs.get_paginator("describe_log_groups").paginate():
    for group in page["logGroups"]:
        name = group["logGroupName"]
        events = []
        for part in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            events.extend(part["events"])
        if not events:
            continue
        print(f"== {name}")
        for event in sorted(events, key=lambda event: event["timestamp"]):
            sys.stdout.write(event["message"].rstrip("\n") + "\n")
