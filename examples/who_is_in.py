#!/usr/bin/env python3
"""Who is in the building? Reads door events, keeps the count, writes it to another topic.

  who_is_in.py --kafka 127.0.0.1:9092 --from doors --to building

Understands badge readers ({"event": "badge", "result": "granted", "person": ..., "direction": "in"}) and counters
at a door ({"flow": 9 (in) or 7 (out), "count": N}). One key a building (the first part of the key site/device).

Exactly where it stands survives a kill: each output record carries the whole state and, as a header, the offset
of the input record that made it. At start the service reads its own output to the end, and goes on behind the
greatest input offset it finds there; so output and position cannot disagree, and nothing is counted twice.
"""
import argparse
import json
import signal
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition


def partitions(consumer, topic):
    return sorted(consumer.list_topics(topic, 30).topics[topic].partitions)


def remember(args, state, positions):
    """What this service knew when it was stopped or killed: its last records."""
    reader = Consumer({'bootstrap.servers': args.kafka, 'group.id': args.group, 'enable.auto.commit': False})
    for partition in partitions(reader, args.to):
        low, end = reader.get_watermark_offsets(TopicPartition(args.to, partition), 30)
        reader.assign([TopicPartition(args.to, partition, low)])
        while low < end:
            message = reader.poll(10)
            if message is None or message.error():
                sys.exit(f'{args.to}: {message.error() if message else "no answer for 10 s"}')
            low, headers = message.offset() + 1, dict(message.headers() or [])
            state[message.key().decode()] = json.loads(message.value())
            source = int(headers['input.partition'])
            positions[source] = max(positions.get(source, 0), int(headers['input.offset']) + 1)
    reader.close()


def count(building, event):
    """Changes the building's state; False if the event says nothing about who is in."""
    if event.get('event') == 'badge' and event.get('result') == 'granted':
        people, person = building.setdefault('people', []), event['person']
        if (event['direction'] == 'in') == (person in people):
            return False  # in twice, or out twice: somebody held the door
        people.append(person) if event['direction'] == 'in' else people.remove(person)
        building['in' if event['direction'] == 'in' else 'out'] += 1
    elif event.get('flow') in (7, 9):
        building['in' if event['flow'] == 9 else 'out'] += int(event['count'])
    else:
        return False
    building['inside'] = building['in'] - building['out']
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kafka', default='127.0.0.1:9092')
    parser.add_argument('--from', dest='source', default='doors')
    parser.add_argument('--to', default='building')
    parser.add_argument('--group', default='who-is-in')
    parser.add_argument('--until-idle', type=float, default=0, help='end after so many seconds without an event')
    args = parser.parse_args()
    running = [True]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: running.clear())
    state, positions = {}, {}
    remember(args, state, positions)
    producer = Producer({'bootstrap.servers': args.kafka, 'enable.idempotence': True, 'linger.ms': 5})
    consumer = Consumer({'bootstrap.servers': args.kafka, 'group.id': args.group, 'enable.auto.commit': False})
    consumer.assign([TopicPartition(args.source, p, positions.get(p, 0)) for p in partitions(consumer, args.source)])
    heard = time.monotonic()
    while running and (not args.until_idle or time.monotonic() - heard < args.until_idle):
        for message in consumer.consume(1000, 0.5):
            if message.error():
                continue  # librdkafka tries again
            heard = time.monotonic()
            if 'edgelog.fence' in dict(message.headers() or []):
                continue
            site = message.key().decode().split('/')[0]
            if count(state.setdefault(site, {'in': 0, 'out': 0, 'inside': 0}), json.loads(message.value())):
                producer.produce(args.to, json.dumps(state[site]), site, partition=0, headers={
                    'input.partition': str(message.partition()), 'input.offset': str(message.offset())})
        producer.flush()
    consumer.close()
    total = {side: sum(building[side] for building in state.values()) for side in ('in', 'out', 'inside')}
    print(json.dumps(total))


if __name__ == '__main__':
    main()
