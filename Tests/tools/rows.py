"""Rows that say what Apache Kafka answers, and the error codes they say it with."""

from wire import Client

NONE, CORRUPT, UNKNOWN_TOPIC, TOO_LARGE, BAD_ACKS = 0, 2, 3, 10, 21
UNSUPPORTED_VERSION, EXISTS, OUT_OF_ORDER, OLD_EPOCH, TXN_STATE = 35, 36, 45, 47, 48
BAD_MAPPING, CONCURRENT, UNAUTHORIZED, INVALID, FENCED, ABORTABLE = 49, 51, 53, 87, 90, 120


class Battery:
    """Counts the rows that a broker answers as Kafka answers."""

    def __init__(self, checks, bootstrap):
        self.checks, self.bootstrap = checks, bootstrap
        self.rows = self.as_kafka = self.topics = 0

    def row(self, name, found, wanted):
        self.rows += 1
        fits = found == wanted
        self.as_kafka += self.checks.that(name, fits, f"{found!r}, Kafka answers {wanted!r}")

    def client(self):
        return Client(self.bootstrap)

    def topic(self, partitions=1, **configs):
        self.topics += 1
        name = f"battery-{self.topics}"
        with self.client() as client:
            assert client.create_topic(name, partitions, **configs) == NONE
        return name

    def end(self, topic, partition=0):
        with self.client() as client:
            return client.list_offset(topic, partition)[2]

    def finish(self):
        print(f"{self.as_kafka} of {self.rows} rows are answered as Kafka answers them")
        self.checks.finish()
