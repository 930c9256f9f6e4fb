"""The demo's books: what its devices made, held against what any consumer finds in the log."""
import collections
import json
import statistics
import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Account:
    sent: int       # events that devices made and did not take back
    received: int   # records of them in the log
    distinct: int   # different ones among these

    @property
    def lost(self):
        return self.sent - self.distinct

    @property
    def duplicated(self):
        return self.received - self.distinct

    @property
    def holds(self):
        return self.sent > 0 and self.lost == 0 and self.duplicated == 0

    def __str__(self):
        return f'sent {self.sent}, received {self.received}, lost {self.lost}, duplicated {self.duplicated}'


class Reader(threading.Thread):
    """Follows the event topics as any consumer does, and keeps the account: which device's number came how often."""

    def __init__(self, kafka, topics, results):
        super().__init__(daemon=True)
        self.kafka, self.topics, self.results = kafka, topics, results
        self.count = collections.Counter()      # (key, boot, number) -> times
        self.ages, self.inside, self.alarms, self.gaps = [], {}, 0, 0
        self.stopping, self.lock = threading.Event(), threading.Lock()

    def run(self):
        from confluent_kafka import Consumer, TopicPartition
        consumer = Consumer({'bootstrap.servers': self.kafka, 'group.id': 'demo', 'enable.auto.commit': False,
                             'reconnect.backoff.max.ms': 1000, 'log_level': 0})
        assigned = []
        for topic in (*self.topics, *self.results, 'edgelog.gaps'):
            listed = consumer.list_topics(topic, 30).topics[topic]
            assigned += [TopicPartition(topic, partition, 0) for partition in listed.partitions]
        consumer.assign(assigned)
        while not self.stopping.is_set():
            for message in consumer.consume(2_000, 0.2):
                if not message.error():
                    with self.lock:
                        self.take(message)
        consumer.close()

    def take(self, message):
        headers = dict(message.headers() or [])
        if 'edgelog.fence' in headers:
            return
        if message.topic() in self.topics:
            self.count[message.key(), headers.get('edgelog.boot'), headers.get('edgelog.number')] += 1
            self.ages.append(time.time() * 1000 - message.timestamp()[1])
        elif message.topic() == 'building':
            self.inside[message.key()] = json.loads(message.value())['inside']
        elif message.topic() == 'alarms':
            self.alarms += json.loads(message.value())['hot']
        else:
            self.gaps += 1

    def received(self):
        with self.lock:
            return sum(self.count.values()), len(self.count)

    def latency(self):
        with self.lock:
            ages, self.ages = sorted(self.ages), []
        return (statistics.median(ages), ages[int(len(ages) * 0.99)]) if ages else None
