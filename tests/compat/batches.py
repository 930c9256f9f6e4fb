"""Record batches v2 by hand, for the raw suite."""
import gzip, struct

TABLE = []
for i in range(256):
    for _ in range(8): i = i >> 1 ^ (0x82f63b78 if i & 1 else 0)
    TABLE.append(i)


def crc32c(data):
    crc = 0xffffffff
    for b in data: crc = TABLE[(crc ^ b) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n > 127: out.append(n & 127 | 128); n >>= 7
    return bytes(out) + bytes([n])


def blob(data): return varint(-1) if data is None else varint(len(data)) + data


def batch(values, producer=-1, epoch=-1, sequence=-1, timestamps=None, keys=None, attributes=0, count=None, last_delta=None,
          crc=None, compress=None, deltas=None):
    """One batch of `values`; the rest bends single fields."""
    timestamps = timestamps or [1_700_000_000_000 + i for i in range(len(values))]
    records = b''
    for i, value in enumerate(values):
        key = keys[i] if keys else b'key'
        delta = deltas[i] if deltas else i
        body = b'\0' + varint(timestamps[i] - timestamps[0]) + varint(delta) + blob(key) + blob(value) + varint(0)
        records += varint(len(body)) + body
    if compress == 'gzip': records, attributes = gzip.compress(records, mtime=0), attributes | 1
    last = len(values) - 1 if last_delta is None else last_delta
    covered = struct.pack('>hiqqqhii', attributes, last, timestamps[0], max(timestamps), producer, epoch, sequence,
                          len(values) if count is None else count) + records
    check = crc32c(covered) if crc is None else crc
    return struct.pack('>qiibI', 0, 4 + 1 + 4 + len(covered), -1, 2, check) + covered


def parse(data):
    """[(base offset, last offset, count, codec)] of the whole batches in `data`; a rest is left out."""
    out = []
    while len(data) >= 61:
        base, length = struct.unpack('>qi', data[:12])
        if length + 12 > len(data): break
        attributes, last = struct.unpack('>hi', data[21:27])
        out.append([base, base + last, struct.unpack('>i', data[57:61])[0], attributes & 7])
        data = data[12 + length:]
    return out
