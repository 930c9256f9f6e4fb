"""librdkafka, through Debian's python3-confluent-kafka."""
import os, subprocess, threading, time
from confluent_kafka import Consumer, KafkaError, KafkaException, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from batches import batch
from cases import Case
from raw import Connection


class Base(Case):
    def config(self, **more):
        return {'bootstrap.servers': self.target.bootstrap, 'log_level': 0, **{k.replace('_', '.'): v for k, v in more.items()}}

    def admin(self):
        if not hasattr(self, '_admin'): self._admin = AdminClient(self.config())  # one that is dropped cancels its calls
        return self._admin

    def topic(self, name, partitions=1, **configs):
        name = self.unique(name)
        made = self.admin().create_topics([NewTopic(name, partitions, 1, config={k.replace('_', '.'): v for k, v in configs.items()})])
        made[name].result(30)
        self.until(lambda: len(self.admin().list_topics(name, timeout=10).topics[name].partitions) == partitions, 'the topic')
        return name

    def produce(self, topic, messages, **config):
        """messages: (partition, key, value[, headers]); all of them must be delivered."""
        producer, failures = Producer(self.config(linger_ms=5, **config)), []
        for partition, key, value, *headers in messages:
            more = {'headers': headers[0]} if headers else {}
            while True:
                try: producer.produce(topic, value, key, partition, on_delivery=lambda e, m: failures.append(e) if e else None, **more)
                except BufferError: producer.poll(0.1)
                else: break
        self.assertEqual(producer.flush(60), 0)
        self.assertEqual(failures, [])

    def consume(self, topic, partitions, count, start=OFFSET_BEGINNING):
        """Exactly `count` messages, then the end of every partition."""
        consumer = Consumer(self.config(group_id=self.unique('reader'), enable_partition_eof=True, check_crcs=True))
        consumer.assign([TopicPartition(topic, p, start) for p in range(partitions)])
        read, ends, give_up = [], set(), time.monotonic() + 60
        while len(read) < count or len(ends) < partitions:
            self.assertLess(time.monotonic(), give_up, f'{len(read)} of {count} messages came')
            message = consumer.poll(0.5)
            if message is None: continue
            if message.error() is None:
                read.append(message)
                ends.discard(message.partition())
            elif message.error().code() == KafkaError._PARTITION_EOF: ends.add(message.partition())
            else: self.fail(message.error())
        consumer.close()
        self.assertEqual(len(read), count)
        return read


class Librdkafka(Base):
    def test_every_compression(self):
        for number, codec in enumerate(('none', 'gzip', 'snappy', 'lz4', 'zstd')):
            topic = self.topic('compress-' + codec)
            sent = [(0, b'k%d' % i, b'value %d ' % i + b'x' * 100, [('boot', b'7'), ('empty', b'')]) for i in range(1000)]
            self.produce(topic, sent, compression_type=codec)
            read = self.consume(topic, 1, 1000)
            self.assertEqual([(m.key(), m.value(), m.headers()) for m in read], [(k, v, h) for _, k, v, h in sent], codec)
            with Connection(self.target.port) as raw:  # librdkafka sends plain where an offer does not suit it
                self.assertEqual({x[3] for x in raw.fetch(topic, 0)['records']}, {number}, codec)

    def test_idempotent_producer(self):
        topic = self.topic('idempotent', 3)
        self.produce(topic, [(i % 3, None, b'%d' % i) for i in range(6000)], enable_idempotence=True, batch_num_messages=50)
        read = self.consume(topic, 3, 6000)
        for p in range(3):
            self.assertEqual([int(m.value()) for m in read if m.partition() == p], list(range(p, 6000, 3)))

    def test_every_acks(self):
        for acks in ('0', '1', 'all'):
            topic = self.topic('acks-' + acks)
            self.produce(topic, [(0, None, b'%d' % i) for i in range(500)], acks=acks)
            self.assertEqual(len(self.consume(topic, 1, 500)), 500)

    def test_large_messages(self):
        topic = self.topic('large', max_message_bytes='2000000')
        self.produce(topic, [(0, None, bytes([i]) * 1_500_000) for i in range(5)], message_max_bytes=2000000)
        self.assertEqual([m.value()[:1] for m in self.consume(topic, 1, 5)], [bytes([i]) for i in range(5)])
        producer, errors = Producer(self.config(message_max_bytes=3000000)), []
        producer.produce(topic, b'x' * 2_500_000, on_delivery=lambda e, m: errors.append(e.code()))
        producer.flush(30)
        self.assertEqual(errors, [KafkaError.MSG_SIZE_TOO_LARGE])
        small = Consumer(self.config(group_id=self.unique('small'), fetch_message_max_bytes=1000, enable_partition_eof=True))
        small.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])  # a batch beyond what is asked for comes all the same
        first = self.until(lambda: small.poll(0.5), 'a large message for a small asker')
        self.assertEqual(len(first.value()), 1_500_000)
        small.close()

    def test_lookup_by_time(self):
        topic = self.topic('times', 2)
        producer = Producer(self.config())
        for i in range(100): producer.produce(topic, b'%d' % i, partition=0, timestamp=1_700_000_000_000 + 1000 * i)
        self.assertEqual(producer.flush(30), 0)
        consumer = Consumer(self.config(group_id=self.unique('times')))
        def at(when, partition=0): return consumer.offsets_for_times([TopicPartition(topic, partition, when)], timeout=30)[0].offset
        self.assertEqual([at(0), at(1_700_000_000_000), at(1_700_000_000_001), at(1_700_000_050_000), at(1_700_000_099_000)], [0, 0, 1, 50, 99])
        self.assertEqual(at(1_800_000_000_000), -1)  # librdkafka: the end
        self.assertEqual(at(0, 1), -1)
        self.assertEqual(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30), (0, 100))
        self.assertEqual(consumer.get_watermark_offsets(TopicPartition(topic, 1), timeout=30), (0, 0))
        consumer.close()

    def test_topics_and_configs(self):
        admin, topic = self.admin(), self.topic('admin', 2, retention_ms='86400000', cleanup_policy='compact')
        with self.assertRaises(KafkaException) as raised: admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(30)
        self.assertEqual(raised.exception.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
        def config():
            return {k: v.value for k, v in admin.describe_configs([resource])[resource].result(30).items()}
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        found = config()
        self.assertEqual([found[k] for k in ('retention.ms', 'cleanup.policy', 'compression.type', 'message.timestamp.type')], ['86400000', 'compact', 'producer', 'CreateTime'])
        change = ConfigResource(ConfigResource.Type.TOPIC, topic, {'retention.ms': '3600000'})
        admin.alter_configs([change])[change].result(30)
        self.until(lambda: config()['retention.ms'] == '3600000', 'the change')
        self.assertEqual(config()['cleanup.policy'], 'delete')  # the old call replaces all
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(30)
        self.until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 5, 'five partitions')
        self.produce(topic, [(p, b'k', b'v') for p in range(5)])
        self.consume(topic, 5, 5)
        admin.delete_topics([topic])[topic].result(30)
        self.until(lambda: topic not in admin.list_topics(timeout=10).topics, 'the deletion')
        again = admin.create_topics([NewTopic(topic, 1, 1)])[topic]
        again.result(30)
        self.until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 1, 'the new one')
        self.produce(topic, [(0, None, b'fresh')])
        self.assertEqual([m.value() for m in self.consume(topic, 1, 1)], [b'fresh'])

    def test_auto_create(self):
        topic = self.unique('auto')
        self.produce(topic, [(0, None, b'first')], **{'topic.metadata.propagation.max.ms': 30000})
        self.consume(topic, 1, 1)

    def members(self, group, topic, count, **config):
        out = []
        for i in range(count):
            c = Consumer(self.config(group_id=group, auto_offset_reset='earliest', enable_auto_commit=False, session_timeout_ms=6000,
                                     heartbeat_interval_ms=300, client_id=f'member-{i}', **config))
            c.subscribe([topic])
            out.append(c)
        return out

    def settle(self, members, sizes):
        def settled():
            for c in members: c.poll(0.02)
            have = [{p.partition for p in c.assignment()} for c in members]
            return sorted(map(len, have)) == sizes and len(set().union(*have)) == sum(sizes)
        self.until(settled, f'assignments of {sizes}')

    def drain(self, members, count):
        """Consumes `count` messages by all members, committing each."""
        values, give_up = [], time.monotonic() + 60
        while len(values) < count:
            self.assertLess(time.monotonic(), give_up, f'{len(values)} of {count}')
            for c in members:
                message = c.poll(0.01)
                if message is None: continue
                self.assertIsNone(message.error())
                values.append(message.value())
                c.commit(message, asynchronous=False)
        return sorted(values)

    def rebalance(self, **config):
        topic, group = self.topic('group', 6), self.unique('group')
        def send(name):
            sent = [(i % 6, None, b'%s %03d' % (name, i)) for i in range(120)]
            self.produce(topic, sent)
            return sorted(v for _, _, v in sent)
        a, b, c = members = self.members(group, topic, 3, max_poll_interval_ms=6000, **config)
        self.settle(members, [2, 2, 2])
        self.assertEqual(send(b'one'), self.drain(members, 120))
        listed = {g.id: g for g in self.admin().list_groups(timeout=30)}
        self.assertEqual([listed[group].state, listed[group].protocol_type, len(listed[group].members)], ['Stable', 'consumer', 3])
        self.assertEqual({m.client_id for m in listed[group].members}, {'member-0', 'member-1', 'member-2'})
        c.close()  # leaves
        self.settle([a, b], [3, 3])
        self.assertEqual(send(b'two'), self.drain([a, b], 120))
        self.until(lambda: a.poll(0.1) is None and len(a.assignment()) == 6, 'b, which polls no more, to be left out')
        self.assertEqual(send(b'three'), self.drain([a], 120))
        self.assertEqual([p.offset for p in a.committed([TopicPartition(topic, p) for p in range(6)], timeout=30)], [60] * 6)
        a.close()
        b.close()
        self.until(lambda: {g.id: g.state for g in self.admin().list_groups(timeout=30)}.get(group) == 'Empty', 'an empty group')

    def test_three_members_range(self): self.rebalance(partition_assignment_strategy='range')
    def test_three_members_cooperative(self): self.rebalance(partition_assignment_strategy='cooperative-sticky')

    def test_static_member_comes_back(self):
        topic, group = self.topic('static', 2), self.unique('static')
        a, = self.members(group, topic, 1, group_instance_id='a')
        b, = self.members(group, topic, 1, group_instance_id='b')
        self.settle([a, b], [1, 1])
        before = {p.partition for p in a.assignment()}
        a.close()  # a static member does not leave
        a, = self.members(group, topic, 1, group_instance_id='a')
        self.settle([a, b], [1, 1])
        self.assertEqual({p.partition for p in a.assignment()}, before)
        a.close()
        b.close()

    def test_client_in_cpp(self):
        program = os.path.join(self.programs, '..', 'tests', 'compat_rdkafka')
        if not os.path.exists(program) and os.environ.get('CI') != 'true': self.skipTest(program + ' is not built')
        done = subprocess.run([program, self.target.bootstrap, self.unique('cpp')], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_kill_under_a_producer_and_a_group(self):
        """An idempotent producer and a consumer, while the broker is killed with -9 twice: each message once, in order.
        Apache Kafka remembers, after a kill, only the last batch of a producer from its snapshot, so that it may
        answer 45 to an older one that is sent again: one in flight there."""
        in_flight = 5 if self.target.name == 'edgelog' else 1
        topic, group = self.topic('killed', 2), self.unique('killed')
        consumer, = self.members(group, topic, 1)
        producer = Producer(self.config(enable_idempotence=True, max_in_flight=in_flight, linger_ms=2, retry_backoff_ms=50, reconnect_backoff_max_ms=200))
        failures, read, count = [], {0: set(), 1: set()}, 4000

        def send():
            for i in range(count):
                producer.produce(topic, b'%d' % i, partition=i % 2, on_delivery=lambda e, m: failures.append(e) if e else None)
                producer.poll(0.001)
        sender = threading.Thread(target=send)
        sender.start()
        kills, give_up = [count // 4, count // 2], time.monotonic() + 120
        while sum(map(len, read.values())) < count:
            self.assertLess(time.monotonic(), give_up, f'{sum(map(len, read.values()))} of {count}; {failures[:3]}')
            if kills and sum(map(len, read.values())) >= kills[0]:
                kills.pop(0)
                self.target.kill()
                self.target.start()
            message = consumer.poll(0.05)
            if message is None or message.error(): continue
            read[message.partition()].add(int(message.value()))  # what was not committed a group reads again
            if len(read[message.partition()]) % 100 == 0: consumer.commit(message)
        sender.join()
        self.assertEqual(producer.flush(60), 0)
        self.assertEqual(failures, [])
        consumer.close()
        for p in (0, 1): self.assertEqual(read[p], set(range(p, count, 2)))
        log = self.consume(topic, 2, count)
        for p in (0, 1): self.assertEqual([int(m.value()) for m in log if m.partition() == p], list(range(p, count, 2)))


class Survivors(Base):
    """What the first round has left must be there after kill -9."""

    def test_leave_or_find(self):
        if self.round == 'fresh': self.leave()
        else: self.find()

    def new_id(self, raw):
        def ask():
            answer = raw.call('InitProducerId', 1, transactional_id=None)
            return answer if answer['error'] == 0 else None  # 14 while a coordinator loads
        return self.until(ask, 'a producer id')['producer_id']

    def leave(self):
        topic, group = self.topic('survivor', 2, retention_ms='99999999'), self.unique('survivor')
        self.produce(topic, [(i % 2, b'k', b'%d' % i) for i in range(1000)], compression_type='zstd')
        consumer = Consumer(self.config(group_id=group, enable_auto_commit=False))
        consumer.commit(offsets=[TopicPartition(topic, 0, 123), TopicPartition(topic, 1, 45)], asynchronous=False)
        consumer.close()
        with Connection(self.target.port) as raw:
            mine = batch([b'raw'], 55501, 2, 0, timestamps=[int(time.time() * 1000)])  # Kafka forgets producers by it
            first = raw.produce(topic, mine)
            self.assertEqual(first['error'], 0)
            window = [batch([b'raw'], 55502, 0, i, timestamps=[int(time.time() * 1000)]) for i in range(5)]
            offsets = [raw.produce(topic, b)['base_offset'] for b in window]
            id = self.new_id(raw)
            metadata = raw.call('Metadata', 10, topics=[{'name': topic}])
        self.target.remembered = {'topic': topic, 'group': group, 'batch': mine, 'offset': first['base_offset'], 'id': id,
                                  'window': window, 'offsets': offsets,
                                  'cluster': metadata['cluster_id'], 'topic id': metadata['topics'][0]['id'],
                                  'epoch': metadata['topics'][0]['partitions'][0]['epoch']}

    def find(self):
        kept = self.target.remembered
        self.assertTrue(kept, 'the first round left nothing')
        topic = kept['topic']
        read = self.consume(topic, 2, 1006)
        for p in (0, 1):
            self.assertEqual([int(m.value()) for m in read if m.partition() == p and m.value() != b'raw'], list(range(p, 1000, 2)))
        consumer = Consumer(self.config(group_id=kept['group']))
        self.assertEqual([p.offset for p in consumer.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], timeout=60)], [123, 45])
        consumer.close()
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        self.assertEqual(self.admin().describe_configs([resource])[resource].result(30)['retention.ms'].value, '99999999')
        with Connection(self.target.port) as raw:
            again = raw.produce(topic, kept['batch'])
            self.assertEqual([again['error'], again['base_offset']], [0, kept['offset']], 'a duplicate after the kill')
            # Kafka's snapshot has a producer's last batch only; ours all five.
            for i in range(5) if self.target.name == 'edgelog' else (4,):
                self.assertEqual(raw.produce(topic, kept['window'][i])['base_offset'], kept['offsets'][i], f'batch {i} of five')
            self.assertEqual(raw.produce(topic, batch([b'x'], 55501, 2, 5))['error'], 45)
            self.assertEqual(raw.produce(topic, batch([b'x'], 55501, 1, 1))['error'], 47)
            self.assertEqual(raw.produce(topic, batch([b'x'], 55501, 2, 1))['error'], 0)
            self.assertNotEqual(self.new_id(raw), kept['id'])
            metadata = raw.call('Metadata', 10, topics=[{'name': topic}])
            self.assertEqual([metadata['cluster_id'], metadata['topics'][0]['id']], [kept['cluster'], kept['topic id']])
            self.assertGreaterEqual(metadata['topics'][0]['partitions'][0]['epoch'], kept['epoch'], 'the leader epoch went back')
