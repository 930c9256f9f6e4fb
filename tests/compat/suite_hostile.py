"""Small requests that ask for much, and clients that behave badly, on a live broker: each is answered with an error
or closed, its memory stays bounded, and others are served. Of cloud-broker only."""
import socket, struct, unittest, urllib.request
from batches import batch
from cases import Case
from raw import Closed, Connection, uvarint

MEMORY_MAX = 1 << 30  # bytes that the broker may ever have held; each attack alone asked for many GiB before


def head(key, version, flexible=False): return struct.pack('>hhih', key, version, 7, -1) + (b'\0' if flexible else b'')


class Hostile(Case):
    @classmethod
    def setUpClass(cls):
        if cls.target.name != 'edgelog': raise unittest.SkipTest('of cloud-broker only')

    def tearDown(self):
        with Connection(self.target.port) as other: self.assertEqual(other.call('ApiVersions', 0)['error'], 0)
        with open(f'/proc/{self.target.process.pid}/status') as f: status = f.read()
        with open(f'/proc/{self.target.process.pid}/exe', 'rb') as f: own = b'__tsan_init' not in f.read()
        # ThreadSanitizer's own memory is several times that of the program.
        self.assertLess(int(status.split('VmHWM:')[1].split()[0]) << 10, MEMORY_MAX if own else 8 * MEMORY_MAX)

    def topic(self, partitions=20):
        name = self.unique('hostile')
        with Connection(self.target.port) as c: c.call('CreateTopics', 4, topics=[{'name': name, 'partitions': partitions, 'replication': 1}])
        return struct.pack('>h', len(name)) + name.encode()

    def shot(self, body):
        """Sends one frame; the size of its answer, or 'closed'."""
        with Connection(self.target.port) as c:
            try:
                c.send_frame(body)
                return len(c.read_exactly(struct.unpack('>i', c.read_exactly(4))[0]))
            except (Closed, OSError): return 'closed'

    def test_arrays_of_nothing(self):
        self.assertEqual(self.shot(head(3, 1) + struct.pack('>i', 9_000_000) + b'\0\0' * 9_000_000), 'closed')

    def test_one_topic_many_times(self):
        name = self.topic()
        self.assertLess(self.shot(head(3, 1) + struct.pack('>i', 50_000) + name * 50_000), 10_000)
        self.assertNotEqual(self.shot(head(32, 0) + struct.pack('>i', 60_000) + (b'\2' + name + b'\xff\xff\xff\xff') * 60_000), 'closed')

    def test_a_long_name_of_many_partitions(self):
        name = b'x' * 32000
        partitions = b''.join(struct.pack('>iq', i, -1) for i in range(100_000))
        self.assertNotEqual(self.shot(head(2, 1) + struct.pack('>iih', -1, 1, len(name)) + name + struct.pack('>i', 100_000) + partitions), 'closed')

    def test_one_group_many_times(self):
        self.assertNotEqual(self.shot(head(9, 8, True) + uvarint(100_001) + b'\2g\0\0' * 100_000 + b'\0\0'), 'closed')
        self.assertNotEqual(self.shot(head(15, 0) + struct.pack('>i', 150_000) + b'\0\1g' * 150_000), 'closed')

    def test_fetches_that_wait_and_name_much(self):
        name = self.topic()
        body = head(1, 4) + struct.pack('>iiiibi', -1, 100000, 1, 1 << 20, 0, 1) + name + struct.pack('>i', 5_000) + struct.pack('>iqi', 0, 0, 100) * 5_000
        many = [Connection(self.target.port) for _ in range(30)]
        for c in many:
            c.socket.settimeout(1)
            try:
                for _ in range(8): c.send_frame(body)
            except OSError: pass  # it is not read any more
        for c in many: c.close()

    def test_readers_that_do_not_read(self):
        self.topic(200)
        ask, many = head(3, 1) + b'\xff\xff\xff\xff', [Connection(self.target.port) for _ in range(40)]
        for c in many:
            c.socket.setblocking(False)
            try:
                for _ in range(80): c.send_frame(ask)
            except OSError: pass
        with Connection(self.target.port) as other: self.assertEqual(other.call('ApiVersions', 0)['error'], 0)
        for c in many: c.close()

    def test_frames_that_do_not_end(self):
        many = []
        for _ in range(500):
            many.append(socket.create_connection(('127.0.0.1', self.target.port)))
            many[-1].sendall(struct.pack('>i', 90 << 20) + b'\0' * 3000)
        with Connection(self.target.port) as other: self.assertEqual(other.call('ApiVersions', 0)['error'], 0)
        for s in many: s.close()

    def test_many_topics_in_one_request(self):
        """Each is checked against all others in time that does not grow with their number."""
        names = [self.unique('many') for _ in range(3000)]
        with Connection(self.target.port) as c:
            for topics in (names, names):
                got = c.call('CreateTopics', 4, validate_only=True, topics=[{'name': n, 'partitions': 1, 'replication': 1} for n in topics])['topics']
                self.assertEqual({t['error'] for t in got}, {0})
            got = c.call('CreateTopics', 4, topics=[{'name': self.unique('wide'), 'partitions': 2_000_000_000, 'replication': 1}])['topics']
            self.assertEqual(got[0]['error'], 44)

    def test_times_are_counted(self):
        """What /metrics says of syncs and of requests: as many as there were, and the buckets add up."""
        name = self.unique('times')
        with Connection(self.target.port) as c:
            c.call('CreateTopics', 4, topics=[{'name': name, 'partitions': 1, 'replication': 1}])
            before = self.metrics()
            for _ in range(3): self.assertEqual(c.produce(name, batch([b'x']))['error'], 0)
            c.fetch(name, 0)
        after = self.metrics()
        grown = lambda key: after[key] - before.get(key, 0)
        self.assertGreaterEqual(grown('edgelog_broker_request_seconds_count{api="Produce"}'), 3)
        self.assertGreaterEqual(grown('edgelog_broker_request_seconds_count{api="Fetch"}'), 1)
        self.assertGreaterEqual(grown('edgelog_broker_sync_seconds_count'), 1)
        self.assertGreater(grown('edgelog_broker_sync_seconds_sum'), 0)
        self.assertEqual(after['edgelog_broker_sync_seconds_bucket{le="+Inf"}'], after['edgelog_broker_sync_seconds_count'])

    def metrics(self):
        with urllib.request.urlopen(f'http://127.0.0.1:{self.target.port + 1}/metrics', timeout=30) as page: text = page.read().decode()
        return {line.rpartition(' ')[0]: float(line.rpartition(' ')[2]) for line in text.splitlines() if not line.startswith('#')}

    def test_members_with_much_to_say(self):
        """A group's members may keep 16 MiB together; who would be beyond it is refused at once."""
        group, much = self.unique('much'), {'session_timeout': 30000, 'rebalance_timeout': 30000, 'member': '', 'type': 'x', 'protocols': [{'name': 'r', 'metadata': bytes(7 << 20)}]}
        with Connection(self.target.port) as one, Connection(self.target.port) as two, Connection(self.target.port) as three:
            first = self.until(lambda: (a := one.call('JoinGroup', 3, group=group, **much))['error'] == 0 and a, 'the coordinator')
            two.send('JoinGroup', 3, group=group, **much)
            self.until(lambda: one.call('Heartbeat', 3, group=group, generation=1, member=first['member'])['error'] == 27, 'the second join')
            self.assertEqual(three.call('JoinGroup', 3, group=group, **much)['error'], 81)
