"""Apache Kafka's own command line tools and Java clients: topics, configs, groups, offsets, console producer and
consumer, the performance tools."""
import os, unittest
import kafka
from cases import Case


class Java(Case):
    @classmethod
    def setUpClass(cls):
        try: kafka.jars()
        except kafka.Unavailable as why:
            if os.environ.get('CI') == 'true': raise
            raise unittest.SkipTest(str(why))

    def tool(self, name, *args, stdin=None, ok=True, option='--bootstrap-server'):
        done = kafka.java(name, option, self.target.bootstrap, *args, input=stdin, timeout=120)
        if ok: self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        return done.stdout

    def topics(self, *args, **more): return self.tool('org.apache.kafka.tools.TopicCommand', *args, **more)

    def test_topic_tool(self):
        topic = self.unique('java-topic')
        self.assertIn('Created topic', self.topics('--create', '--topic', topic, '--partitions', '2', '--config', 'retention.ms=7200000'))
        self.assertIn(topic, self.topics('--list').split())
        described = self.topics('--describe', '--topic', topic)
        self.assertRegex(described, r'PartitionCount: 2\s+ReplicationFactor: 1\s+Configs: .*retention.ms=7200000')
        self.topics('--alter', '--topic', topic, '--partitions', '5')
        self.until(lambda: 'PartitionCount: 5' in self.topics('--describe', '--topic', topic), 'five partitions')
        self.assertIn('already exists', self.topics('--create', '--topic', topic, ok=False))
        self.topics('--delete', '--topic', topic)
        self.until(lambda: topic not in self.topics('--list').split(), 'the deletion')

    def test_config_tool(self):
        topic = self.unique('java-config')
        self.topics('--create', '--topic', topic)
        of = ['--entity-type', 'topics', '--entity-name', topic]
        name = 'org.apache.kafka.tools.ConfigCommand'
        if 'ClassNotFound' in kafka.java(name, '--version').stdout: name = 'kafka.admin.ConfigCommand'
        self.tool(name, *of, '--alter', '--add-config', 'cleanup.policy=compact,max.message.bytes=5000')
        described = self.tool(name, *of, '--describe')
        self.assertIn('cleanup.policy=compact', described)
        self.assertIn('max.message.bytes=5000', described)
        self.tool(name, *of, '--alter', '--delete-config', 'cleanup.policy')
        self.assertNotIn('cleanup.policy', self.tool(name, *of, '--describe'))

    def test_console_producer_and_consumer(self):
        for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
            topic = self.unique('java-console-' + codec)
            self.topics('--create', '--topic', topic)
            lines = [f'value {i}' for i in range(300)]
            self.tool('org.apache.kafka.tools.ConsoleProducer', '--topic', topic, '--compression-codec', codec, stdin='\n'.join(lines) + '\n')
            read = self.tool('org.apache.kafka.tools.consumer.ConsoleConsumer', '--topic', topic, '--from-beginning', '--max-messages', '300', '--timeout-ms', '60000')
            self.assertEqual([line for line in read.splitlines() if line.startswith('value')], lines, codec)

    def test_group_tool_and_offsets(self):
        topic, group = self.unique('java-groups'), self.unique('java-group')
        self.topics('--create', '--topic', topic, '--partitions', '2')
        self.kcat('-P', '-t', topic, '-p', '0', stdin='a\nb\nc\n')
        self.tool('org.apache.kafka.tools.consumer.ConsoleConsumer', '--topic', topic, '--group', group, '--from-beginning', '--max-messages', '3', '--timeout-ms', '60000')
        groups = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
        self.assertIn(group, self.tool(groups, '--list').split())
        described = self.tool(groups, '--describe', '--group', group)
        self.assertRegex(described, rf'{group}\s+{topic}\s+0\s+3\s+3\s+0')
        self.assertRegex(self.tool(groups, '--describe', '--group', group, '--state'), r'Empty')
        self.tool(groups, '--reset-offsets', '--group', group, '--topic', topic + ':0', '--to-offset', '1', '--execute')
        self.assertRegex(self.tool(groups, '--describe', '--group', group), rf'{topic}\s+0\s+1\s+3\s+2')
        self.tool(groups, '--delete', '--group', group)
        self.assertNotIn(group, self.tool(groups, '--list').split())
        offsets = self.tool('org.apache.kafka.tools.GetOffsetShell', '--topic', topic)
        self.assertIn(f'{topic}:0:3', offsets)

    def test_performance_tools(self):
        """An idempotent Java producer (the default) and a consumer, at speed."""
        topic = self.unique('java-perf')
        self.topics('--create', '--topic', topic, '--partitions', '3')
        made = kafka.java('org.apache.kafka.tools.ProducerPerformance', '--topic', topic, '--num-records', '20000', '--record-size', '200', '--throughput', '-1',
                          '--producer-props', 'bootstrap.servers=' + self.target.bootstrap, 'acks=all', timeout=120)
        self.assertIn('20000 records sent', made.stdout)
        read = kafka.java('org.apache.kafka.tools.ConsumerPerformance', '--bootstrap-server', self.target.bootstrap, '--topic', topic, '--messages', '20000', '--timeout', '60000', timeout=120)
        self.assertRegex(read.stdout, r', 20000, ', read.stdout[-1500:])
