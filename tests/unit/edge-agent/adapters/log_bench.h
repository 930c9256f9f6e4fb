#pragma once
// A log in a folder of its own, and what the tests of it write into it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/uplink/names.h"
#include "edge-agent/adapters/log_apply.h"
#include "edge-agent/agent/run.h"

namespace edgelog::agent {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "edgelog-log-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

inline LogOptions options_in(const Folder& folder) {
  LogOptions options;
  options.path = folder.path + "/agent.db";
  options.agent = "edge-1";
  return options;
}

struct Log {
  explicit Log(const LogOptions& options) {
    auto opened = LogStore::open(options);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().what);
    store = std::move(*opened);
    writer = std::move(*LogApply::create(*store));
  }
  CommitDone commit(std::vector<Op> ops, std::vector<Run> runs = {}) {
    CommitDone done;
    const CommitWork work{{++id, std::move(ops)}, std::move(runs)};
    done.status = writer->apply(work, done);
    EXPECT_TRUE(done.status) << (done.status ? "" : done.status.error().what);
    return done;
  }
  std::unique_ptr<LogStore> store;
  std::unique_ptr<LogApply> writer;
  std::int64_t id = 0;
};

inline constexpr StreamId stream{2};

// Events first..last with the value {"i":INDEX} and a second between them.
inline Run make_run(std::int64_t first, std::int64_t last) {
  Run run{stream, EventIndex{first}, EventIndex{last}, WallMillis{1000 * first}, {}};
  for (std::int64_t i = first; i <= last; ++i) {
    const EventHeader header{"h", "x"};
    append_event(run.events, i == first ? 0 : 1000, "s/d", "{\"i\":" + std::to_string(i) + "}", {&header, 1});
  }
  return run;
}

inline BatchRow batch_of(std::int64_t first, std::int64_t last, std::int64_t sequence = 0) {
  BatchRow row;
  row.stream = stream;
  row.first = EventIndex{first};
  row.last = EventIndex{last};
  row.origin = ProducerId{77};
  row.producer = ProducerId{78};
  row.sequence = sequence;
  return row;
}

// A log of two lanes, with batches (the first one published), events, a gap, sources and recents.
inline void write_everything(const LogOptions& options) {
  Log log(options);
  StreamRow row;
  row.id = stream;
  row.topic = "doors";
  row.next = EventIndex{200};
  StreamRow gaps;
  gaps.id = StreamId{3};
  gaps.topic = uplink::gaps_topic;
  gaps.next = EventIndex{1};
  OriginRow origin, later, of_gaps;
  origin.stream = later.stream = stream;
  origin.origin = ProducerId{77};
  later.origin = ProducerId{79};
  later.first = EventIndex{150};
  of_gaps.stream = StreamId{3};
  of_gaps.origin = ProducerId{99};
  Gap lost;
  lost.reason = gap_reason::overflow;
  lost.stream = "doors";
  lost.origin = ProducerId{77};
  lost.first = EventIndex{1};
  lost.last = EventIndex{2};
  lost.count = 2;
  const GapRow gap{EventIndex{0}, WallMillis{4}, lost};
  log.commit({PutMeta{{3, 9}}, PutStream{row}, PutStream{gaps}, PutOrigin{origin}, PutOrigin{later}, PutOrigin{of_gaps},
              PutProducer{{stream, ProducerId{78}}}, PutGap{gap}, PutSource{{{"mqtt", "d"}, "7", 5, 9}},
              PutRecent{{{"mqtt", "e"}, 3, 5, 77}}, InsertEvents{stream, EventIndex{0}, EventIndex{149}},
              InsertEvents{stream, EventIndex{150}, EventIndex{199}}},
             {make_run(0, 149), make_run(150, 199)});
  BatchRow first = batch_of(0, 19), second = batch_of(20, 39, 20);
  log.commit({Seal{first}, Seal{second}});
  first.published = true;
  log.commit({PutBatch{first}});
}

}  // namespace edgelog::agent
