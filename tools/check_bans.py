#!/usr/bin/env python3
"""What may not stand where: clocks, randomness, threads, hashing and floating point in cores; exceptions of ours,
sleeps and mutexes outside their places. A line that must break a rule says so: `// allow: <word>, because ...`."""
import re

import sources

try:
    import tomllib
except ImportError:
    import tomli as tomllib

CORE_INCLUDES = re.compile(r'#\s*include\s*<(chrono|random|unordered_map|unordered_set|thread|mutex|shared_mutex|future|'
                           r'condition_variable|iostream|fstream|ctime|time\.h|filesystem|cmath|coroutine)>')
CORE_WORDS = [
    (re.compile(r'\bstd::(hash|unordered_\w+|random_device|mt19937\w*|thread|mutex|async|chrono|ifstream|ofstream)\b'),
     'a core is deterministic: seeded Prng, ordered containers, time as an argument'),
    (re.compile(r'(?<![\w>])(?:std)?::(rand|srand|time|clock|getenv|open|fopen|socket)\s*\(|'
                r'\b(srand|clock_gettime|gettimeofday|getenv|fopen)\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)'),
     'a core touches no world'),
    (re.compile(r'\b(co_await|co_return|co_yield|thread_local)\b'), 'a core is a plain object'),
]
FLOATS = re.compile(r'\b(float|double)\b')
IO = re.compile(r'^(common/io|[\w-]+/adapters|common/base/log\.cc|tests|examples)')
EVERYWHERE = [
    ('throw', re.compile(r'\bthrow\b'), lambda p: p.startswith(('tests/', 'examples/')),
     'nothing of ours throws: Result for the world, ASSERT for beliefs'),
    ('catch', re.compile(r'\bcatch\s*\('),
     lambda p: IO.match(p) or p.startswith(('common/config', 'common/base/log.cc')) or p.endswith('main.cc'),
     'third parties\' exceptions are caught in adapters'),
    ('sleep', re.compile(r'\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\('), lambda p: p.startswith(('examples/', 'tests/compat', 'tests/e2e', 'tests/bench')),
     'nothing sleeps: alarms in the product, events in tests'),
    ('mutex', re.compile(r'\bstd::(recursive_|shared_|timed_)?mutex\b'), lambda p: IO.match(p) or p.endswith('main.cc'),
     'one thread owns an object: mutexes only in common/io and adapters'),
    ('clock', re.compile(r'\b(steady_clock|system_clock|high_resolution_clock|clock_gettime|gettimeofday)\b'),
     lambda p: IO.match(p) or p.endswith('main.cc'), 'only adapters read a clock'),
    ('assert', re.compile(r'(?<![\w.:])assert\s*\('), lambda p: False, 'ASSERT stays on in release; assert does not'),
    ('using namespace', re.compile(r'\busing\s+namespace\b'), lambda p: p.endswith('.cc'), 'not in a header'),
]


def core_folders(root):
    table = tomllib.loads((root / 'tools/layers.toml').read_text())
    return {name: row for name, row in table.items() if row.get('core')}


def allowed(lines, number, word):
    return any(f'allow: {word}' in lines[n - 1] for n in (number, number - 1) if n > 0)


def check(root):
    cores = core_folders(root)
    bad = []
    for path in map(str, sources.cpp_files(root)):
        text = (root / path).read_text()
        code, lines = sources.code_only(text), text.splitlines()
        folder = path.rsplit('/', 1)[0]
        rules = [(word, pattern, why) for word, pattern, excused, why in EVERYWHERE if not excused(path)]
        if folder in cores:
            rules += [('core', pattern, why) for pattern, why in CORE_WORDS]
            rules.append(('core', CORE_INCLUDES, 'not in a core'))
            if not cores[folder].get('floats'):
                rules.append(('float', FLOATS, 'no floating point in decisions'))
            elif 'cmath' in code:
                rules.remove(('core', CORE_INCLUDES, 'not in a core'))
        for word, pattern, why in rules:
            for match in pattern.finditer(code):
                number = sources.line_of(code, match.start())
                if not allowed(lines, number, word):
                    bad.append(f'{path}:{number}: `{match[0].strip()}`: {why}')
    return bad


def tree(path, text):
    return {'tools/layers.toml': '["gateway/core"]\nmay = []\ncore = true\n["firmware-sim/core"]\ncore = true\nfloats = true\n',
            path: text}


EXAMPLES = [
    (tree('gateway/core/a.cc', '#include <map>\n// no double, std::mutex or throw in words\nint f() { return 1\'000; }\n'), None),
    (tree('gateway/core/a.cc', '#include <chrono>\n'), 'gateway/core/a.cc:1'),
    (tree('gateway/core/a.cc', 'std::unordered_map<int, int> m;\n'), 'deterministic'),
    (tree('gateway/core/a.cc', '\ndouble x;\n'), 'gateway/core/a.cc:2'),
    (tree('firmware-sim/core/a.cc', 'double x;\n'), None),
    (tree('gateway/core/a.cc', 'auto t = time(nullptr);\n'), 'touches no world'),
    (tree('gateway/core/a.cc', 'int fd = ::open(path, 0);\n'), 'touches no world'),
    (tree('gateway/core/a.cc', 'auto x = Log::open(path); source.open(); return time(wall);\n'), None),
    (tree('gateway/core/a.cc', 'std::hash<int> h;\n'), 'deterministic'),
    (tree('common/io/a.cc', 'std::mutex m; auto n = std::chrono::steady_clock::now();\n'), None),
    (tree('gateway/bridge/a.cc', 'std::mutex m;\n'), 'mutexes only'),
    (tree('gateway/bridge/a.cc', 'auto n = std::chrono::steady_clock::now();\n'), 'read a clock'),
    (tree('gateway/bridge/a.cc', 'void f() { throw 1; }\n'), 'nothing of ours throws'),
    (tree('gateway/bridge/a.cc', 'void f() { throw 1; }  // allow: throw, because ...\n'), None),
    (tree('gateway/bridge/a.cc', 'void f() { assert(1); static_assert(true); }\n'), 'ASSERT stays'),
    (tree('gateway/bridge/a.cc', 'static_assert(true);\n'), None),
    (tree('tests/unit/a_test.cc', 'std::this_thread::sleep_for(x);\n'), 'nothing sleeps'),
    (tree('gateway/bridge/a.h', 'using namespace std;\n'), 'not in a header'),
]

if __name__ == '__main__':
    sources.main(check, EXAMPLES)
