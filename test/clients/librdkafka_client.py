"""librdkafka, asked what it knows through confluent-kafka: a JSON object a line in, one a line out."""

import ctypes
import glob
import json
import logging
import os
import sys
import tempfile

import confluent_kafka

package = os.path.dirname(confluent_kafka.__file__)
library = ctypes.CDLL(
    next(
        found
        for place in ("../confluent_kafka.libs/librdkafka*", ".dylibs/librdkafka*")
        for found in glob.glob(os.path.join(package, place))
    )
)
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
library.rd_kafka_conf_new.restype = ctypes.c_void_p


class Lines(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


def table():
    """Each setting with its scope and range, as librdkafka itself prints them."""
    with tempfile.NamedTemporaryFile("r") as file:
        stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
        library.rd_kafka_conf_properties_show(stream)
        libc.fclose(stream)
        rows = [[cell.strip() for cell in line.split("|")] for line in file if line.count("|") >= 5]
    return [
        {"name": row[0], "scope": row[1], "range": row[2], "type": row[-1].split("*Type: ")[-1].split("*")[0]}
        for row in rows
        if row[0] != "Property" and "---" not in row[0]
    ]


def set_one(name, value):
    """What librdkafka says of one setting by itself; nothing when it takes it."""
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    error = ctypes.create_string_buffer(512)
    result = library.rd_kafka_conf_set(conf, name.encode(), value.encode(), error, 512)
    library.rd_kafka_conf_destroy(conf)
    return {} if result == 0 else {"error": error.value.decode() or "refused"}


def read_back(settings):
    """What librdkafka has of some settings once all of them are set."""
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    error = ctypes.create_string_buffer(512)
    try:
        for name, value in settings.items():
            if library.rd_kafka_conf_set(conf, name.encode(), str(value).encode(), error, 512) != 0:
                return {"error": error.value.decode() or "refused"}
        found = {}
        for name in settings:
            size = ctypes.c_size_t(65_536)
            text = ctypes.create_string_buffer(size.value)
            library.rd_kafka_conf_get(conf, name.encode(), text, ctypes.byref(size))
            found[name] = text.value.decode()
        return found
    finally:
        library.rd_kafka_conf_destroy(conf)


def construct(role, settings):
    """A client of these settings: why there is none, and what librdkafka warns of."""
    lines = Lines()
    logger = logging.Logger("librdkafka")
    logger.addHandler(lines)
    try:
        if role == "producer":
            confluent_kafka.Producer(settings, logger=logger).poll(0)
        else:
            consumer = confluent_kafka.Consumer(settings, logger=logger)
            consumer.poll(0)
            consumer.close()
    except confluent_kafka.KafkaException as error:
        return {"error": error.args[0].str()}
    return {"warnings": [line for line in lines.lines if "CONFWARN" in line]}


kept = []


def keep(settings):
    """A producer that stays, so that it logs in."""
    kept.append(confluent_kafka.Producer(settings, logger=logging.Logger("librdkafka")))
    return {}


for line in sys.stdin:
    question = json.loads(line)
    ask = question.pop("ask")
    answers = {"table": table, "set": set_one, "read_back": read_back, "construct": construct, "keep": keep}
    print(json.dumps(answers[ask](**question)), flush=True)
