#!/usr/bin/env python3
"""Files of at most 800 lines, functions of at most 70: above that a thing wants to be two. Lines of a function that
are one `case X: return Y;` each are a table and do not count."""
import re

import sources

FILE_LINES, FUNCTION_LINES = 800, 70
NO_FUNCTION = re.compile(r'^\s*(?:\[\[\w+\]\]\s*)?(?:inline\s+|export\s+|typedef\s+)*(namespace|class|struct|union|enum|extern)\b')
TABLE_LINE = re.compile(r'^\s*(case [\w:]+|default):\s*(return [^;]*;)?\s*$')
PREPROCESSOR = re.compile(r'^[ \t]*#(?:[^\n\\]|\\\n|\\.)*', re.M)


def functions(code):
    """(name, first line, last line) of each function body that stands in a namespace or class."""
    code = PREPROCESSOR.sub(lambda match: re.sub(r'[^\n]', ' ', match[0]), code)
    stack, begin, found = [], 0, []
    for position, c in enumerate(code):
        if c == ';':
            begin = position + 1
        elif c == '{':
            head = code[begin:position]
            outer = all(kind == 'scope' for kind, *_ in stack)
            if NO_FUNCTION.match(head) and ')' not in head.split('\n')[-1]:
                stack.append(('scope', None, None))
            elif outer and '(' in head:
                name = re.search(r'([\w~:]+|operator\S+)\s*\(', head)
                start = begin + len(head) - len(head.lstrip())
                stack.append(('function', name[1] if name else '?', sources.line_of(code, start)))
            else:
                stack.append(('other', None, None))
            begin = position + 1
        elif c == '}' and stack:
            kind, name, first = stack.pop()
            if kind == 'function':
                found.append((name, first, sources.line_of(code, position)))
            begin = position + 1
    return found


def check(root):
    bad = []
    for path in sources.cpp_files(root):
        text = (root / path).read_text()
        lines = text.count('\n')
        if lines > FILE_LINES:
            bad.append(f'{path}:{FILE_LINES}: {lines} lines; at most {FILE_LINES}')
        code = sources.code_only(text)
        for name, first, last in functions(code):
            size = sum(not TABLE_LINE.match(line) for line in code.split('\n')[first - 1:last])
            if size > FUNCTION_LINES and not str(path).startswith('tests/'):
                bad.append(f'{path}:{first}: {name} has {size} lines; at most {FUNCTION_LINES}')
    return bad


def body(n):
    return 'namespace a {\nstruct B {\n  int f(int x) const {\n' + '    if (x) { --x; }\n' * n + '    return x;\n  }\n};\n}\n'


EXAMPLES = [
    ({'common/base/a.cc': body(60)}, None),
    ({'common/base/a.cc': body(70)}, 'common/base/a.cc:3: f has 73 lines'),
    ({'common/base/a.cc': 'int f(int x) {\n  switch (x) {\n' + '    case a::b: return 1;\n' * 90 + '  }\n}\n'}, None),
    ({'common/base/a.cc': 'int x;\n' * 801}, '801 lines'),
    ({'common/base/a.cc': 'constexpr int table[] = {\n' + '  1,\n' * 100 + '};\n'}, None),
]

if __name__ == '__main__':
    sources.main(check, EXAMPLES)
