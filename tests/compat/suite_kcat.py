"""kcat, as people use it at the shell."""
from cases import Case


class Kcat(Case):
    def test_produce_and_consume_every_compression(self):
        for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
            topic = self.unique('kcat-' + codec)
            lines = [f'key-{i}:value {i} ' + 'x' * 200 for i in range(500)]
            self.kcat('-P', '-t', topic, '-z', codec, '-K:', '-X', 'topic.metadata.propagation.max.ms=20000', stdin='\n'.join(lines) + '\n')
            read = self.kcat('-C', '-t', topic, '-e', '-o', 'beginning', '-q', '-f', '%k:%s\n')
            self.assertEqual(read.splitlines(), lines, codec)

    def test_headers_null_values_and_offsets(self):
        topic = self.unique('kcat-headers')
        self.kcat('-P', '-t', topic, '-H', 'boot=7', '-H', 'empty=', '-K:', '-Z', stdin='a:1\nb:\n')
        read = self.kcat('-C', '-t', topic, '-e', '-q', '-f', '%o %k %S %s %h\n')
        self.assertEqual(read.splitlines(), ['0 a 1 1 boot=7,empty=', '1 b -1  boot=7,empty='])
        self.assertEqual(self.kcat('-C', '-t', topic, '-e', '-q', '-o', '-1', '-f', '%o\n').split(), ['1'])
        self.assertEqual(self.kcat('-C', '-t', topic, '-e', '-q', '-o', '1', '-c', '1', '-f', '%o\n').split(), ['1'])

    def test_list_and_query_by_time(self):
        topic = self.unique('kcat-list')
        self.kcat('-P', '-t', topic, stdin='one\ntwo\n')
        self.assertIn(f'topic "{topic}" with 1 partitions', self.kcat('-L', '-t', topic))
        self.assertIn('1 brokers', self.kcat('-L'))
        self.assertIn('offset 0', self.kcat('-Q', '-t', f'{topic}:0:1000'))
        self.assertIn('offset 2', self.kcat('-Q', '-t', f'{topic}:0:-1'))

    def test_group_reads_on_where_it_was(self):
        topic, group = self.unique('kcat-group'), self.unique('group')
        # Committed at the end of each run; the first run begins at the start of the log.
        options = ['-G', group, '-q', '-e', '-X', 'auto.offset.reset=earliest', '-f', '%s\n', topic]
        self.kcat('-P', '-t', topic, stdin='one\ntwo\n')
        self.assertEqual(self.kcat(*options).split(), ['one', 'two'])
        self.kcat('-P', '-t', topic, stdin='three\n')
        self.assertEqual(self.kcat(*options).split(), ['three'])
