#!/bin/sh
# Makes tests/golden/wire/messages.txt and tests/golden/record/batches.txt anew, with Apache Kafka's own
# classes from Maven Central (JDK 17 and maven). 3.9 knows versions that 4.x has dropped. The results are
# in the repository, so that only a change of our version ranges needs this.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
apis="API_VERSIONS METADATA PRODUCE FETCH LIST_OFFSETS OFFSET_FOR_LEADER_EPOCH INIT_PRODUCER_ID FIND_COORDINATOR
JOIN_GROUP SYNC_GROUP HEARTBEAT LEAVE_GROUP OFFSET_COMMIT OFFSET_FETCH LIST_GROUPS DESCRIBE_GROUPS DELETE_GROUPS
OFFSET_DELETE CREATE_TOPICS DELETE_TOPICS CREATE_PARTITIONS DESCRIBE_CONFIGS ALTER_CONFIGS
INCREMENTAL_ALTER_CONFIGS DESCRIBE_CLUSTER DELETE_RECORDS SASL_HANDSHAKE SASL_AUTHENTICATE"
for version in 3.9.1 4.3.0; do
  mkdir -p "$work/$version/classes"
  cat > "$work/$version/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>x</groupId><artifactId>x</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId><version>$version</version></dependency>
</dependencies></project>
POM
  mvn -q -B -f "$work/$version/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/$version/lib"
  javac -cp "$work/$version/lib/*" -d "$work/$version/classes" "$here/WireGolden.java"
  java -cp "$work/$version/lib/*:$work/$version/classes" WireGolden $apis > "$work/$version.txt" 2> "$work/$version.err"
done
python3 "$here/merge.py" "$here/../../../common/wire" "$here/../wire/messages.txt" "$work/3.9.1.txt" "$work/4.3.0.txt"
javac -cp "$work/4.3.0/lib/*" -d "$work/4.3.0/classes" "$here/BatchGolden.java"
java -cp "$work/4.3.0/lib/*:$work/4.3.0/classes" BatchGolden > "$here/../record/batches.txt" 2> "$work/batch.err"
