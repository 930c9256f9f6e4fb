"""What the suites share."""
import itertools, os, subprocess, time, unittest

counter = itertools.count()


class Case(unittest.TestCase):
    target = None       # set by run.py
    programs = ''       # where edgelog-broker lies
    round = 'fresh'     # or 'after kill -9'
    longMessage = True

    def unique(self, name): return f'{name}-{os.getpid()}-{next(counter)}'

    def until(self, done, what, seconds=60):
        """Polls `done` until it gives something true, which is returned."""
        give_up = time.monotonic() + seconds
        while True:
            result = done()
            if result: return result
            if time.monotonic() > give_up: self.fail('waited in vain for ' + what)
            time.sleep(0.05)

    def kcat(self, *args, stdin=None, seconds=60):
        done = subprocess.run(['kcat', '-b', self.target.bootstrap, *args], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=seconds)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout
