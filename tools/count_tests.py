#!/usr/bin/env python3
"""count_tests.py REPORT.xml: "passed failed skipped" of a ctest JUnit report. A test that is a GoogleTest or unittest
program, or ends with a line "N passed, N failed, N skipped", counts by its cases; any other counts as one."""
import re
import sys
import xml.etree.ElementTree as xml


def counts(status, output):
    if own := re.findall(r'^(\d+) passed, (\d+) failed, (\d+) skipped$', output, re.M):
        passed, failed, skipped = map(int, own[-1])
        return passed, failed or int(status == 'fail'), skipped
    if status == 'fail':
        bad = re.search(r'^\[  FAILED  \] (\d+) tests?, listed below', output, re.M)
        good = re.search(r'^\[  PASSED  \] (\d+) tests?', output, re.M)
        return int(good[1]) if good else 0, int(bad[1]) if bad else 1, 0
    if status != 'run':
        return 0, 0, 1
    if good := re.search(r'^\[  PASSED  \] (\d+) tests?', output, re.M):
        left = re.search(r'^\[  SKIPPED \] (\d+) tests?', output, re.M)
        return int(good[1]), 0, int(left[1]) if left else 0
    if ran := re.search(r'^Ran (\d+) tests? in ', output, re.M):
        left = re.search(r'skipped=(\d+)', output)
        left = int(left[1]) if left else 0
        return int(ran[1]) - left, 0, left
    return 1, 0, 0


def main():
    total = [0, 0, 0]
    for case in xml.parse(sys.argv[1]).getroot().iter('testcase'):
        output = ''.join(part.text or '' for part in case.iter('system-out'))
        one = counts(case.get('status'), output)
        total = [a + b for a, b in zip(total, one)]
        if one[2] and (why := re.search(r'^.*SKIPPED.*$', output, re.M)):
            print(f'  {case.get("name")}: {why[0].strip()}', file=sys.stderr)
    print(*total)


if __name__ == '__main__':
    main()
