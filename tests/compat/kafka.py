#!/usr/bin/env python3
"""Apache Kafka as an oracle: its jars from Maven Central into .cache/kafka-VERSION, one broker on loopback.

    kafka.py jars                                 fetch the jars, print the class path
    kafka.py start --port 21092 [--data DIR]      run one broker (its controller on port + 1) until SIGTERM or Ctrl-C;
                                                  prints HOST:PORT on stdout once it answers

Needs a JRE of 17 or later, and mvn for the first time. Nothing is skipped here: who cannot reach the registry
gets Unavailable, and decides."""
import argparse, os, shutil, signal, socket, subprocess, sys, tempfile, time

VERSION = '4.3.0'
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get('EDGELOG_CACHE', os.path.join(ROOT, '.cache')), 'kafka-' + VERSION)
CLUSTER_ID = 'ZWRnZWxvZy1jb21wYXQtMQ'
POM = '''<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%(v)s</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>%(v)s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>''' % {'v': VERSION}


class Unavailable(Exception):
    """Apache Kafka cannot be had here; the text says why."""


def jars():
    """Class path of Kafka's jars, fetched once."""
    lib = os.path.join(CACHE, 'lib')
    if not shutil.which('java'): raise Unavailable('no java: install default-jre-headless')
    if not os.path.isdir(lib):
        if not shutil.which('mvn'): raise Unavailable('no mvn to fetch Apache Kafka with: install maven')
        os.makedirs(CACHE, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            with open(os.path.join(work, 'pom.xml'), 'w') as f: f.write(POM)
            command = ['mvn', '-q', '-B', '-f', os.path.join(work, 'pom.xml'), 'dependency:copy-dependencies',
                       '-DoutputDirectory=' + os.path.join(work, 'lib')]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
            if done.returncode: raise Unavailable('Maven Central cannot be reached: ' + done.stdout.strip()[-300:])
            try: os.rename(os.path.join(work, 'lib'), lib)
            except OSError:
                if not os.path.isdir(lib): raise  # another process was faster
    return os.path.join(lib, '*')


def java(*args, heap='512m', **popen):
    """Runs one of Kafka's classes; stdout and stderr come back joined."""
    return subprocess.run(['java', '-Xmx' + heap, '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
                           '-cp', jars(), *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **popen)


def answers(port):
    try:
        with socket.create_connection(('127.0.0.1', port), timeout=1): return True
    except OSError: return False


class ApacheKafka:
    """One broker and controller in one process, on `port` and `port` + 1, with its data in `data`."""

    def __init__(self, port, data, **extra):
        self.port, self.data, self.process = port, data, None
        os.makedirs(data, exist_ok=True)
        self.log = os.path.join(data, 'server.log')
        settings = {
            'process.roles': 'broker,controller', 'node.id': 1,
            'controller.quorum.voters': f'1@127.0.0.1:{port + 1}',
            'listeners': f'PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}',
            'controller.listener.names': 'CONTROLLER',
            'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
            'log.dirs': os.path.join(data, 'logs'), 'offsets.topic.replication.factor': 1,
            'offsets.topic.num.partitions': 1, 'share.coordinator.state.topic.replication.factor': 1,
            'share.coordinator.state.topic.num.partitions': 1,
            'transaction.state.log.replication.factor': 1, 'transaction.state.log.min.isr': 1,
            'transaction.state.log.num.partitions': 5, 'group.initial.rebalance.delay.ms': 0,
            'num.partitions': 1, 'log.message.timestamp.after.max.ms': 9223372036854775807,
            'group.min.session.timeout.ms': 1000, **extra}
        self.properties = os.path.join(data, 'server.properties')
        with open(self.properties, 'w') as f: f.writelines(f'{k}={v}\n' for k, v in settings.items())

    def start(self):
        if not os.path.exists(os.path.join(self.data, 'logs', 'meta.properties')):
            done = java('kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', self.properties, timeout=120)
            if done.returncode: raise RuntimeError('format failed: ' + done.stdout[-500:])
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                ['java', '-Xmx768m', '-XX:TieredStopAtLevel=1', '-cp', jars(), 'kafka.Kafka', self.properties],
                stdout=log, stderr=log, start_new_session=True)
        give_up = time.monotonic() + 300
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError('Kafka did not start: ' + open(self.log).read()[-500:])
            time.sleep(0.1)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try: self.process.wait(30)
            except subprocess.TimeoutExpired: self.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('what', choices=['jars', 'start'])
    parser.add_argument('--port', type=int, default=21092)
    parser.add_argument('--data', help='default: a folder of its own, removed at the end')
    args = parser.parse_args()
    try:
        if args.what == 'jars': return print(jars())
        data = args.data or tempfile.mkdtemp(prefix='edgelog-kafka-')
        broker = ApacheKafka(args.port, data)
        for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, lambda *_: sys.exit(0))
        try:
            broker.start()
            print(f'127.0.0.1:{args.port}', flush=True)
            broker.process.wait()
            sys.exit('Kafka ended by itself: ' + open(broker.log).read()[-500:])
        finally:
            broker.stop()
            if not args.data: shutil.rmtree(data, ignore_errors=True)
    except Unavailable as why: sys.exit(str(why))


if __name__ == '__main__': main()
