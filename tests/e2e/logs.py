"""The two logs that scenarios run on: cloud-broker and Apache Kafka. Each can be started, killed with -9, frozen,
copied and put back while it stands still, and made to forget its producers."""
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / 'deploy'), str(ROOT / 'tests' / 'compat')]
import kafka  # noqa: E402
from procs import Process, Trouble, metrics, ready, wait_until  # noqa: E402

# A process under this sees a wall clock that is AHEAD_S seconds ahead; its monotonic clocks are the true ones.
AHEAD = '''#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
  static int (*true_one)(clockid_t, struct timespec *);
  if (!true_one) true_one = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = true_one(id, at);
  const char *ahead = getenv("AHEAD_S");
  if (result == 0 && ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += atol(ahead);
  return result;
}
'''


class CloudBroker:
    name = 'cloud-broker'

    def __init__(self, bin_dir, directory, port, admin_port):
        self.dir, self.brokers, self.admin = Path(directory), f'127.0.0.1:{port}', f'http://127.0.0.1:{admin_port}'
        self.data = self.dir / 'data'
        self.process = Process('broker', [Path(bin_dir) / 'edgelog-broker', '--data', self.data, '--listen', self.brokers,
                                          '--admin', f'127.0.0.1:{admin_port}'], self.dir / 'broker.log')

    def start(self):
        self.process.start()
        wait_until(lambda: ready(self.admin), 'the broker is ready', 60, [self.process])

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()

    def signal(self, number):
        self.process.signal(number)

    def forget_producers(self):
        """It is opened once with a clock that is 100 days ahead: ids of agents are kept 90 days."""
        self.stop()
        library = self.dir / 'ahead.so'
        made = subprocess.run(['cc', '-shared', '-fPIC', '-o', str(library), '-x', 'c', '-', '-ldl'], input=AHEAD, text=True)
        if made.returncode:
            raise Trouble('cc is needed for a clock that is ahead')
        before = self.process.environment
        self.process.environment = {'LD_PRELOAD': str(library), 'AHEAD_S': str(100 * 86_400)}
        self.start()
        if not metrics(self.admin).get('edgelog_broker_producer_ids'):
            raise Trouble('the broker remembers no producers that it could forget')
        wait_until(lambda: metrics(self.admin).get('edgelog_broker_producer_ids') == 0, 'the broker has forgotten its producers',
                   90, [self.process])
        self.stop()
        self.process.environment = before
        self.start()
        if metrics(self.admin).get('edgelog_broker_producer_ids'):
            raise Trouble('the broker remembers again what it had forgotten')


class ApacheKafka:
    name = 'apache-kafka'

    def __init__(self, _bin_dir, directory, port, _admin_port):
        self.port, self.dir, self.brokers = port, Path(directory), f'127.0.0.1:{port}'
        self.data = self.dir / 'data'
        self.server = kafka.ApacheKafka(port, str(self.data), **self.settings())

    @staticmethod
    def settings(**more):
        # The longest memory that Kafka can have, as docs/PROTOCOL.md asks for.
        return {'producer.id.expiration.ms': 2_147_483_647, **more}

    def start(self):
        self.server.start()

    def kill(self):
        self.server.kill()

    def stop(self):
        self.server.stop()

    def signal(self, number):
        os.kill(self.server.process.pid, number)

    def forget_producers(self):
        """From now on it remembers them for 20 s; Kafka takes what comes from an id that it does not know, whatever its
        sequence, so an agent is safe only as long as it is told the truth about that."""
        self.stop()
        self.server = kafka.ApacheKafka(self.port, str(self.data), **self.settings(**{
            'producer.id.expiration.ms': 20_000, 'producer.id.expiration.check.interval.ms': 1000}))
        self.start()
        time.sleep(25)


LOGS = {log.name: log for log in (CloudBroker, ApacheKafka)}


def copy(source, target):
    """A directory as it lies on the disk, put in the place of `target`."""
    if Path(target).exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns('server.log'))


def freeze(thing):
    thing.signal(signal.SIGSTOP)


def thaw(thing):
    thing.signal(signal.SIGCONT)
