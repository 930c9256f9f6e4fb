#pragma once
// A recording as events of devices, in the order of its files. Two layouts:
//   table   delimited rows (with quotes as RFC 4180 has them, but for tabs); a column names the device, or there is one
//   device series  one file per series (a directory or a tar archive), merged by time; the file's name is the device
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "firmware-sim/adapters/lines.h"
#include "firmware-sim/adapters/recorded_time.h"
#include "firmware-sim/core/source.h"

namespace edgelog::firmware {

struct ReplayField {
  std::string name;  // in the payload
  std::string column;
  bool number = false;  // written as it stands, where it is a number; else as text
};

struct ReplayConfig {
  std::vector<std::string> inputs;
  bool series = false;
  char delimiter = '\t';
  bool header = true;                // each file begins with its column names
  std::vector<std::string> columns;  // without a header
  std::string device_column;         // empty: `device` is the only one
  std::string device = "device";
  std::vector<ReplayField> fields;  // empty: every column, as text
  std::vector<std::string> notice;  // fields that a device repeats in its notices
  std::vector<std::string> time;    // columns, joined by a space
  TimeFormat time_format = TimeFormat::none;
  double speed = 0;                   // times as fast as it was recorded; 0: as fast as possible
  std::int64_t rate = 0;              // events per second at most; 0: no limit
  std::uint64_t rows_max = 0;         // of all parts together; 0: all
  std::uint64_t part = 0, parts = 1;  // only devices whose name_part is `part`
};

class Replay : public EventSource {
 public:
  static Result<std::unique_ptr<Replay>> open(ReplayConfig config);

  Instant deadline() const override { return front_ ? due_ : never; }
  const Made& front() const override { return *front_; }
  void pop() override;
  // What ended it before its end.
  const std::optional<Error>& failure() const { return failure_; }
  std::uint64_t rows() const { return rows_; }  // read so far, of all parts

 private:
  struct Row {
    std::string device;
    std::vector<std::string_view> cells;  // of the line, of `whole` or of `unquoted`
    std::string whole, unquoted;
    std::optional<WallMillis> at;
  };
  struct Series {
    std::string device;
    std::string data;
    std::size_t next = 0;
  };
  using Head = std::pair<std::int64_t, std::size_t>;  // time, series

  explicit Replay(ReplayConfig config) : config_(std::move(config)) {}
  Status start();
  Status advance();  // fills front_, or leaves it empty at the end
  Result<bool> read_table_row(Row& row);
  Result<bool> open_next_input();
  Status use_columns(const std::vector<std::string>& names);
  bool read_series_row(Row& row);
  void push_head(std::size_t series);
  Result<bool> next_row(std::string_view& line, std::string& whole);
  void split(std::string_view line, std::vector<std::string_view>& cells, std::string& unquoted) const;
  void split_quoted(std::string_view line, std::vector<std::string_view>& cells, std::string& unquoted) const;
  void make(const Row& row);

  ReplayConfig config_;
  std::size_t next_input_ = 0, line_ = 0;
  std::optional<LineReader> reader_;
  std::vector<std::string> columns_;
  std::size_t device_at_ = 0;
  std::vector<std::pair<ReplayField, std::size_t>> fields_;  // with the column's place
  std::vector<std::size_t> time_at_;
  std::vector<Series> series_;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads_;
  std::optional<Made> front_;
  Instant due_{};
  std::int64_t made_ = 0;
  std::optional<WallMillis> begin_;
  std::string time_text_;
  std::optional<Error> failure_;
  std::uint64_t rows_ = 0;
};

}  // namespace edgelog::firmware
