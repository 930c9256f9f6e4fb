"""What the suites run against: a log that speaks Kafka, which can be started, killed with -9, and started again
on the same data."""
import os, shutil, socket, subprocess, tempfile, time
import kafka


BASE = int(os.environ.get("EDGELOG_COMPAT_PORT", 21100))  # so that several can run side by side


def free_ports(count):
    """`count` neighbouring ports that nobody listens on."""
    for base in range(BASE + os.getpid() % 400 * 2, BASE + 890 - count):
        taken = []
        try:
            for port in range(base, base + count):
                s = socket.socket()
                taken.append(s)
                s.bind(('127.0.0.1', port))
            return base
        except OSError: continue
        finally:
            for s in taken: s.close()
    raise RuntimeError('no free ports')


class Target:
    def __init__(self):
        self.data = tempfile.mkdtemp(prefix='edgelog-compat-')
        self.port = free_ports(3)
        self.bootstrap = f'127.0.0.1:{self.port}'
        self.remembered = {}  # what a suite has left for after the kill

    def clean(self):
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)


class Apache(Target):
    name = 'apache'

    def __init__(self):
        super().__init__()
        kafka.jars()
        self.kafka = kafka.ApacheKafka(self.port, self.data)

    def start(self): self.kafka.start()
    def kill(self): self.kafka.kill()
    def stop(self): self.kafka.stop()


class Edgelog(Target):
    name = 'edgelog'

    def __init__(self, bin_dir):
        super().__init__()
        self.program = os.path.join(bin_dir, 'edgelog-broker')
        if not os.path.exists(self.program): raise kafka.Unavailable(self.program + ' is not built')
        self.config = os.path.join(self.data, 'broker.toml')
        with open(self.config, 'w') as f:
            f.write(f'data = "{self.data}/log"\nlisten = "{self.bootstrap}"\nadvertised = "{self.bootstrap}"\n'
                    f'admin = "127.0.0.1:{self.port + 1}"\nauto_create_topics = true\n')

    def start(self):
        self.log = open(os.path.join(self.data, 'broker.log'), 'ab')
        self.process = subprocess.Popen([self.program, '--config', self.config], stdout=self.log, stderr=self.log)
        give_up = time.monotonic() + 60
        while not kafka.answers(self.port):
            if self.process.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError('edgelog-broker did not start: ' + self.tail())
            time.sleep(0.02)

    def tail(self): return open(os.path.join(self.data, 'broker.log'), errors='replace').read()[-1500:]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if getattr(self, 'process', None) and self.process.poll() is None:
            self.process.terminate()
            try: self.process.wait(30)
            except subprocess.TimeoutExpired: self.kill()
