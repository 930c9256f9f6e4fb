"""Records that carry a number: written with a memory of what was acknowledged, and read back to their log's end."""
import os
import struct
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from procs import Trouble


def check(holds, what):
    if not holds:
        raise Trouble(f'does not hold: {what}')


class Writer:
    """Idempotent producer of numbered values; remembers what was acknowledged."""

    def __init__(self, brokers, topic, size=16_000):
        self.topic, self.pad, self.next, self.acked, self.failed = topic, os.urandom(size), 0, set(), 0
        self.producer = Producer({'bootstrap.servers': brokers, 'enable.idempotence': True, 'linger.ms': 5,
                                  'message.timeout.ms': 4000, 'compression.type': 'none'})

    def _done(self, number, error):
        if error is None:
            self.acked.add(number)
        else:
            self.failed += 1

    def write(self, count):
        for _ in range(count):
            number = self.next
            self.next += 1
            while True:
                try:
                    self.producer.produce(self.topic, struct.pack('>q', number) + self.pad,
                                          callback=lambda error, _, number=number: self._done(number, error))
                    break
                except BufferError:
                    self.producer.poll(0.1)
            self.producer.poll(0)
        self.producer.flush(15)


def read_numbers(brokers, topic, key=lambda value: struct.unpack('>q', value[:8])[0], partitions=1):
    """All numbers in a topic, in order of offset, until its end."""
    consumer = Consumer({'bootstrap.servers': brokers, 'group.id': 'faults', 'enable.auto.commit': False,
                         'check.crcs': True})
    numbers = []
    try:
        for p in range(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)
            consumer.assign([TopicPartition(topic, p, low)])
            at, until = low, time.monotonic() + 60
            while at < high and time.monotonic() < until:
                for message in consumer.consume(1000, 0.5):
                    if message.error():
                        raise KafkaException(message.error())
                    at = message.offset() + 1
                    if not any(name == 'edgelog.fence' for name, _ in message.headers() or []):
                        numbers.append(key(message.value()))
            check(at >= high, f'{topic}-{p} can be read to its end {high}, stopped at {at}')
    finally:
        consumer.close()
    return numbers
