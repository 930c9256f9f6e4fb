// Record batches as Apache Kafka's own classes write them, one a line:
//   name hex records
// records: offset timestamp key value headers, of each record. run.sh says how to run it.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

public class BatchGolden {
  static String hex(ByteBuffer b) {
    if (b == null) return "null";
    b = b.duplicate();
    StringBuilder s = new StringBuilder("0x");
    while (b.hasRemaining()) s.append(String.format("%02x", b.get()));
    return s.toString();
  }
  static byte[] bytes(String s) { return s.getBytes(StandardCharsets.UTF_8); }

  static void print(String name, MemoryRecords records) {
    StringBuilder s = new StringBuilder();
    for (MutableRecordBatch batch : records.batches())
      for (org.apache.kafka.common.record.internal.Record r : batch) {
        s.append(" {").append(r.offset()).append(", ").append(r.timestamp()).append(", ").append(hex(r.key())).append(", ").append(hex(r.value()));
        for (Header h : r.headers())
          s.append(", ").append(h.key()).append("=").append(hex(h.value() == null ? null : ByteBuffer.wrap(h.value())));
        s.append("}");
      }
    System.out.println(name + " " + hex(records.buffer()).substring(2) + s);
  }
  static void data(String name, Compression compression, long id, short epoch, int sequence, boolean transactional, int count) {
    Random random = new Random(7);
    MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), RecordBatch.MAGIC_VALUE_V2, compression,
        TimestampType.CREATE_TIME, 1000L, RecordBatch.NO_TIMESTAMP, id, epoch, sequence, transactional, 5);
    for (int i = 0; i < count; i++) {
      Header[] headers = i % 3 == 0 ? new Header[0]
          : new Header[] {new RecordHeader("boot", bytes("7")), new RecordHeader("nothing", (byte[]) null), new RecordHeader("", bytes(""))};
      byte[] key = i % 4 == 1 ? null : bytes("site-1/device-" + i % 2);
      byte[] value = i % 5 == 2 ? null : bytes("{\"temperature\":" + random.nextInt(400) + ",\"unit\":\"celsius\",\"count\":" + i + "}");
      b.append(1700000000000L + random.nextInt(5000) - 1000, key, value, headers);
    }
    print(name, b.build());
  }
  public static void main(String[] args) {
    for (int count : new int[] {1, 30}) {
      data("none-" + count, Compression.NONE, -1, (short) -1, -1, false, count);
      data("gzip-" + count, Compression.gzip().build(), -1, (short) -1, -1, false, count);
      data("snappy-" + count, Compression.snappy().build(), -1, (short) -1, -1, false, count);
      data("lz4-" + count, Compression.lz4().build(), 9, (short) 1, 77, false, count);
      data("zstd-" + count, Compression.zstd().build(), 4611686018427400249L, (short) 0, Integer.MAX_VALUE - 2, true, count);
    }
    print("commit", MemoryRecords.withEndTransactionMarker(42L, 1700000000000L, 3, 9L, (short) 1,
        new EndTransactionMarker(ControlRecordType.COMMIT, 12)));
    print("abort", MemoryRecords.withEndTransactionMarker(43L, 1700000000000L, 3, 9L, (short) 1,
        new EndTransactionMarker(ControlRecordType.ABORT, 12)));
  }
}
