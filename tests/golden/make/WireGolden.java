// Writes one line per API, direction and version, from Apache Kafka's own schemas:
//   key q|r version hex text
// with seeded values in every field, an unknown tag (number 77) wherever tags may be (line kind "u"), and
// the values in the order of the schema. tests/golden/README.md says how to run it.
import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.types.*;

public class WireGolden {
  static Random random;
  static boolean unknownTags;
  static StringBuilder text;

  static String word() {
    int n = random.nextInt(9);
    StringBuilder s = new StringBuilder();
    for (int i = 0; i < n; i++) s.append((char) ('a' + random.nextInt(26)));
    return s.toString();
  }
  static String hex(byte[] b) {
    StringBuilder s = new StringBuilder();
    for (byte x : b) s.append(String.format("%02x", x));
    return s.toString();
  }
  static Object nothing() { text.append("null"); return null; }
  static boolean isRecords(String t) { return t.endsWith("RECORDS"); }

  // The class moved between 3.9 and 4.3.
  static Object records(ByteBuffer bytes) {
    for (String name : new String[] {"record.internal.MemoryRecords", "record.MemoryRecords"}) {
      try {
        return Class.forName("org.apache.kafka.common." + name).getMethod("readableRecords", ByteBuffer.class).invoke(null, bytes);
      } catch (ReflectiveOperationException e) { continue; }
    }
    throw new RuntimeException("no MemoryRecords");
  }
  @SuppressWarnings("unchecked")
  static Map<Integer, Field> fieldsOf(TaggedFields type) {  // public since 4.0
    try {
      java.lang.reflect.Field f = TaggedFields.class.getDeclaredField("fields");
      f.setAccessible(true);
      return (Map<Integer, Field>) f.get(type);
    } catch (ReflectiveOperationException e) { throw new RuntimeException(e); }
  }

  static Object blob(Type type, String t) {
    byte[] b = new byte[random.nextInt(12)];
    random.nextBytes(b);
    text.append("0x").append(hex(b));
    if (isRecords(t)) return records(ByteBuffer.wrap(b));
    return ByteBuffer.wrap(b);
  }
  static Object number(String t) {
    switch (t) {
      case "BOOLEAN": { boolean b = random.nextBoolean(); text.append(b); return b; }
      case "INT8": { byte v = (byte) random.nextInt(); text.append(v); return v; }
      case "INT16": { short v = (short) random.nextInt(); text.append(v); return v; }
      case "INT32": { int v = random.nextInt(); text.append(v); return v; }
      case "INT64": { long v = random.nextLong(); text.append(v); return v; }
      case "UUID": {
        Uuid u = new Uuid(random.nextLong(), random.nextLong());
        text.append("0x").append(String.format("%016x%016x", u.getMostSignificantBits(), u.getLeastSignificantBits()));
        return u;
      }
      default: throw new RuntimeException("type " + t);
    }
  }
  static Object tags(TaggedFields type) {
    TreeMap<Integer, Object> map = new TreeMap<>();
    for (Map.Entry<Integer, Field> f : new TreeMap<>(fieldsOf(type)).entrySet()) {
      text.append(", ");
      Object v = value(f.getValue().type);
      // What equals the default is not sent.
      boolean plain = v == null || v.equals(false) || v instanceof Object[] && ((Object[]) v).length == 0;
      if (!plain) map.put(f.getKey(), v);
    }
    if (unknownTags) map.put(77, new RawTaggedField(77, new byte[] {1, 2, 3}));
    return map;
  }
  static Object struct(Schema schema) {
    Struct s = new Struct(schema);
    text.append("{");
    boolean first = true;
    for (BoundField f : schema.fields()) {
      if (f.def.type instanceof TaggedFields) { s.set(f, tags((TaggedFields) f.def.type)); continue; }
      if (!first) text.append(", ");
      first = false;
      s.set(f, value(f.def.type));
    }
    text.append("}");
    return s;
  }
  static Object value(Type type) {
    if (type.isArray() && type.isNullable() && random.nextInt(4) == 0) return nothing();
    if (type.isArray()) {
      Type of = type.arrayElementType().get();
      int n = random.nextInt(3);
      Object[] items = new Object[n];
      text.append("[");
      for (int i = 0; i < n; i++) { if (i > 0) text.append(", "); items[i] = value(of); }
      text.append("]");
      return items;
    }
    if (type instanceof Schema) return struct((Schema) type);
    String t = type.toString();
    if (type.isNullable() && random.nextInt(4) == 0) return nothing();
    if (t.endsWith("STRING")) { String w = word(); text.append('"').append(w).append('"'); return w; }
    if (t.endsWith("BYTES") || isRecords(t)) return blob(type, t);
    return number(t);
  }
  static void line(ApiMessageType api, String kind, Schema[] schemas, int version) {
    if (version >= schemas.length || schemas[version] == null) return;
    text = new StringBuilder();
    random = new Random(api.apiKey() * 1000 + version * 10 + kind.charAt(0));
    Struct s = (Struct) struct(schemas[version]);
    ByteBuffer out = ByteBuffer.allocate(1 << 20);
    s.writeTo(out);
    byte[] bytes = Arrays.copyOf(out.array(), out.position());
    System.out.println(api.apiKey() + " " + kind + (unknownTags ? "u" : "") + " " + version + " " + hex(bytes) + " " + text);
  }
  public static void main(String[] args) {
    for (String name : args) {
      ApiMessageType api = ApiMessageType.valueOf(name);
      for (int v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++) {
        for (boolean u : new boolean[] {false, true}) {
          unknownTags = u;
          line(api, "q", api.requestSchemas(), v);
          line(api, "r", api.responseSchemas(), v);
        }
      }
    }
  }
}
