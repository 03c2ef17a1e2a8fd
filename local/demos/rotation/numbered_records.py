"""A service in Python that numbers its records and knows nothing of Switchboard but its file.

It goes on where it ended: a number is written to the journal when Kafka has acknowledged it, and it begins after the last
one there. Asked to end, it sends what it has and ends.
"""
import json
import os
import signal
import sys
import time

from confluent_kafka import Producer

journal_file = sys.argv[1]
with open(os.environ['SWITCHBOARD_LIBRDKAFKA_FILE']) as file:
    config = json.load(file)

journal = open(journal_file, 'a+', buffering=1)
journal.seek(0)
number = max((int(line) for line in journal), default=-1) + 1
running = True


def stop(*_):
    global running
    running = False


def complain(text):
    print(text, file=sys.stderr, flush=True)


def delivered(error, message):
    if error is None:
        journal.write(f'{message.value().decode()}\n')
    else:
        complain(f'LOST {error}')


signal.signal(signal.SIGTERM, stop)
producer = Producer({**config, 'error_cb': lambda error: complain(f'error {error}')})
complain(f'begins with {number}')
while running:
    producer.produce(os.environ['SWITCHBOARD_TOPIC'], str(number), on_delivery=delivered)
    number += 1
    producer.poll(0.02)
left = producer.flush(20)
if left > 0:
    complain(f'LOST {left} that were not written in 20 s')
    sys.exit(1)
