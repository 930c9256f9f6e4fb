#!/usr/bin/env python3
"""The same calls, by clients that we did not write and by hand, against cloud-broker and against Apache Kafka, with
the same expectations; then kill -9, and all of it again on the same data.

    run.py --bin build/dev/bin                      cloud-broker
    run.py --bin build/dev/bin --target both        and Apache Kafka 4.3.0 (from Maven Central, kept in .cache)
    run.py ... -k groups                            only tests whose name has "groups" in it
    run.py --target apache --record                 write tests/compat/expected anew from what Apache Kafka answers

Ends with "N passed, N failed, N skipped". What cannot be had is skipped by name, and with CI=true a failure."""
import argparse, os, shutil, sys, time, traceback, unittest

if __name__ == '__main__':  # Debian's own Python has Debian's python3-confluent-kafka
    try: import confluent_kafka
    except ImportError:
        if sys.executable != '/usr/bin/python3' and os.path.exists('/usr/bin/python3'):
            os.execv('/usr/bin/python3', ['/usr/bin/python3', *sys.argv])
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import kafka, suite_hostile, suite_raw, targets

CI = os.environ.get('CI') == 'true'


class Result(unittest.TestResult):
    """One line a test."""

    def __init__(self, label):
        super().__init__()
        self.label, self.passed = label, 0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def line(self, what, test, text=''):
        took = time.monotonic() - self.began if hasattr(self, 'began') else 0
        name = test.id().split('.', 1)[-1] if hasattr(test, 'id') else str(test)
        print(f'{what:4} {self.label} {name} ({took:.1f} s){text}', flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self.line('PASS', test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line('SKIP', test, ': ' + reason)

    def explain(self, test, err):
        text = str(err[1]).strip() if isinstance(err[1], AssertionError) else ''.join(
            f for f in traceback.format_tb(err[2]) if '/compat/' in f) + repr(err[1])
        self.line('FAIL', test, '\n     ' + text.replace('\n', '\n     '))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.explain(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        self.explain(test, err)


def suites(java, target):
    """The classes of tests that can run here; missing Debian packages are named."""
    found, missing = [suite_raw.Raw], []
    if target == 'edgelog': found.append(suite_hostile.Hostile)
    try:
        import suite_librdkafka
        found.append(suite_librdkafka.Librdkafka)
        found.append(suite_librdkafka.Survivors)
    except ImportError as why: missing.append(f'librdkafka: {why} (python3-confluent-kafka)')
    if shutil.which('kcat'):
        import suite_kcat
        found.append(suite_kcat.Kcat)
    else: missing.append('kcat: not installed')
    if java:
        import suite_java
        found.append(suite_java.Java)
    return found, missing


def run_round(target, round_name, classes, args, totals):
    label = f'{target.name}/{round_name.replace(" ", "-")}'
    result = Result(label)
    loader = unittest.TestLoader()
    if args.k: loader.testNamePatterns = [f'*{p}*' for p in args.k]
    for base in classes:
        suite = loader.loadTestsFromTestCase(type(base.__name__, (base,), {'target': target, 'round': round_name, 'programs': args.bin}))
        suite.run(result)
    totals['passed'] += result.passed
    totals['failed'] += len(result.failures) + len(result.errors)
    totals['skipped'] += len(result.skipped)


def run_target(make, name, args, totals):
    try: target = make()
    except kafka.Unavailable as why:
        print(f'{"FAIL" if CI else "SKIP"} {name}: {why}', flush=True)
        totals['failed' if CI else 'skipped'] += 1
        return
    classes, missing = suites(args.java or args.target != 'edgelog', name)
    for text in missing:
        print(f'{"FAIL" if CI else "SKIP"} {name}: {text}', flush=True)
        totals['failed' if CI else 'skipped'] += 1
    try:
        target.start()
        run_round(target, 'fresh', classes, args, totals)
        if args.record: return
        target.kill()
        target.start()
        run_round(target, 'after kill -9', classes, args, totals)
    except Exception:
        totals['failed'] += 1
        traceback.print_exc()
    finally:
        if totals['failed'] and hasattr(target, 'tail'): print('---- log of the broker\n' + target.tail(), flush=True)
        target.clean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--target', choices=['edgelog', 'apache', 'both'], default='edgelog')
    parser.add_argument('--bin', default='build/dev/bin', help='where edgelog-broker lies')
    parser.add_argument('--record', action='store_true')
    parser.add_argument('--java', action='store_true', help="Kafka's own Java tools too: minutes; always so with Apache Kafka")
    parser.add_argument('-k', action='append', help='only tests with this in their name; may be repeated')
    args = parser.parse_args()
    if args.record and args.target != 'apache': parser.error('--record is for --target apache')
    suite_raw.RECORD = args.record
    totals = {'passed': 0, 'failed': 0, 'skipped': 0}
    if args.target != 'edgelog': run_target(targets.Apache, 'apache', args, totals)
    if args.target != 'apache': run_target(lambda: targets.Edgelog(args.bin), 'edgelog', args, totals)
    print('{passed} passed, {failed} failed, {skipped} skipped'.format(**totals))
    sys.exit(1 if totals['failed'] or not totals['passed'] and not totals['skipped'] else 0)


if __name__ == '__main__': main()
