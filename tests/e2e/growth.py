"""Whether something grows: samples of processes and directories over time, a table of them, and a verdict.

A process's *life* is the time between two starts. What is judged, and how:
- within each life of at least a sixth of the run: its first quarter, and what lies before `settled` (when retention
  has taken what it takes), is left out, since caches, pools and allocators fill; of the rest, the median of the last
  third may exceed the median of the first third by a tenth and 4 MiB of resident memory, 8 descriptors, 1 thread;
- across lives (what a process reads at its start may grow): the highest resident memory of the run's last third may
  exceed that of the second third by a tenth and 4 MiB;
- of a directory, from `settled` on: the median of the last quarter may exceed that of the first by a quarter and
  8 MiB (the room of a write-ahead log).
"""
import collections
import csv
import os
import threading
import time
from pathlib import Path

MIB = 1 << 20
Sample = collections.namedtuple('Sample', 'at life rss descriptors threads')


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def disk_bytes(directory):
    """What a directory takes on its disk."""
    total = 0
    for place, _, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                pass  # gone meanwhile
    return total


def look_at(process):
    """(resident bytes, descriptors, threads), or nothing if it does not run."""
    if not process.running():
        return None
    try:
        status = dict(line.split(':', 1) for line in open(f'/proc/{process.pid}/status') if ':' in line)
        return int(status['VmRSS'].split()[0]) * 1024, len(os.listdir(f'/proc/{process.pid}/fd')), int(status['Threads'])
    except (OSError, KeyError):
        return None  # it ended meanwhile


class Sampler(threading.Thread):
    """Samples `processes` (name -> Process) and `directories` (name -> path) every `period` seconds."""

    def __init__(self, processes, directories, period):
        super().__init__(daemon=True)
        self.processes, self.directories, self.period = processes, directories, period
        self.begin = time.monotonic()
        self.samples = {name: [] for name in processes}
        self.disks = {name: [] for name in directories}
        self._stop_now = threading.Event()

    def run(self):
        while True:
            self.sample()
            if self._stop_now.wait(self.period):
                return

    def sample(self):
        at = time.monotonic() - self.begin
        for name, process in self.processes.items():
            life, seen = process.starts, look_at(process)
            if seen and life == process.starts:
                self.samples[name].append(Sample(at, life, *seen))
        for name, path in self.directories.items():
            self.disks[name].append((at, disk_bytes(path)))

    def stop(self):
        self._stop_now.set()
        self.join()
        self.length = time.monotonic() - self.begin

    def save(self, path):
        with open(path, 'w', newline='') as file:
            out = csv.writer(file)
            out.writerow(('seconds', 'what', 'life', 'bytes', 'descriptors', 'threads'))
            for name, samples in self.samples.items():
                out.writerows((f'{s.at:.0f}', name, s.life, s.rss, s.descriptors, s.threads) for s in samples)
            for name, sizes in self.disks.items():
                out.writerows((f'{at:.0f}', name, '', size, '', '') for at, size in sizes)

    def table(self, rows=12):
        """One line a point in time: resident MiB / descriptors / threads of each process, MiB of each directory."""
        names = [*self.samples, *(f'{name} on disk' for name in self.disks)]
        lines = ['| minute | ' + ' | '.join(names) + ' |', '| --- ' * (len(names) + 1) + '|']
        for i in range(rows + 1):
            at = self.length * i / rows
            cells = []
            for samples in self.samples.values():
                near = min(samples, key=lambda s: abs(s.at - at), default=None)
                cells.append(f'{near.rss / MIB:.1f}/{near.descriptors}/{near.threads}' if near else '-')
            for sizes in self.disks.values():
                cells.append(f'{min(sizes, key=lambda s: abs(s[0] - at))[1] / MIB:.1f}')
            lines.append(f'| {at / 60:.1f} | ' + ' | '.join(cells) + ' |')
        return '\n'.join(lines)

    # ---- verdict
    def findings(self, settled):
        """What grows, as sentences; empty if nothing does."""
        found = []
        for name, samples in self.samples.items():
            lives = collections.defaultdict(list)
            for sample in samples:
                lives[sample.life].append(sample)
            for life in lives.values():
                found += [f'{name}: {what}' for what in self._within(life, settled)]
            found += [f'{name}: {what}' for what in self._across(samples)]
        for name, sizes in self.disks.items():
            found += [f'{name}: {what}' for what in self._disk(sizes, settled)]
        return found

    def judged_lives(self):
        """How long the longest judged life of each process was, in minutes."""
        longest = {}
        for name, samples in self.samples.items():
            spans = collections.defaultdict(list)
            for sample in samples:
                spans[sample.life].append(sample.at)
            longest[name] = round(max((max(s) - min(s) for s in spans.values()), default=0) / 60, 1)
        return longest

    def _within(self, life, settled):
        span = life[-1].at - life[0].at
        if span < self.length / 6:
            return
        rest = [sample for sample in life if sample.at - life[0].at >= max(span / 4, settled)]
        third = len(rest) // 3
        if third == 0:
            return
        for field, unit, allowed in (('rss', MIB, lambda before: before / 10 + 4 * MIB), ('descriptors', 1, lambda _: 8),
                                     ('threads', 1, lambda _: 1)):
            before = median(getattr(s, field) for s in rest[:third])
            after = median(getattr(s, field) for s in rest[-third:])
            if after > before + allowed(before):
                yield (f'{field} grew from {before / unit:.1f} to {after / unit:.1f} within a life of '
                       f'{span / 60:.1f} minutes')

    def _across(self, samples):
        parts = [[s.rss for s in samples if lower <= s.at * 3 / self.length < lower + 1] for lower in (1, 2)]
        if all(parts) and max(parts[1]) > max(parts[0]) * 1.1 + 4 * MIB:
            yield f'its highest rss grew from {max(parts[0]) / MIB:.1f} to {max(parts[1]) / MIB:.1f} MiB over the lives'

    def _disk(self, sizes, settled):
        quarter = (self.length - settled) / 4
        if quarter <= 0:
            return
        early = [size for at, size in sizes if settled <= at < settled + quarter]
        late = [size for at, size in sizes if at >= self.length - quarter]
        if early and late and median(late) > median(early) * 1.25 + 8 * MIB:
            yield f'its disk grew from {median(early) / MIB:.1f} to {median(late) / MIB:.1f} MiB after retention had settled'


def program_log_bytes(directory):
    return sum(path.stat().st_size for path in Path(directory).glob('*.log'))
