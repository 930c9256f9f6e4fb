#pragma once
// stdin as an input: a thread reads (a file or a terminal cannot be waited for otherwise), two chunks ahead
// at most; answers go to stdout: {"durable":N}, the first N lines are durable. Loop thread, but for the reader.
#include <functional>
#include <memory>

#include "common/io/loop.h"
#include "edge-agent/adapters/line_feed.h"

namespace edgelog::agent {

class StdinInput : public Inlet {
 public:
  // `ended`: once, when the end has come and all of it is durable.
  StdinInput(io::Loop& loop, Intake& intake, Driver& driver, std::function<void()> ended);
  ~StdinInput() override;
  void start();

  void durable(std::uint64_t lines) override;
  void confirm(std::string_view, std::string_view, std::int64_t) override {}
  void resume() override;

 private:
  struct Reader;
  void chunk(std::string bytes, bool end);
  void advance();

  io::Loop& loop_;
  Intake& intake_;
  Driver& driver_;
  std::function<void()> ended_;
  LineFeed feed_;
  std::shared_ptr<Reader> reader_;
  bool at_end_ = false, finished_ = false, busy_ = false;
  std::uint64_t asked_ = 0;
};

}  // namespace edgelog::agent
