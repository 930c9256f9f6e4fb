#include "edge-agent/adapters/stdin_input.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "common/base/log.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t chunk_bytes = 64 << 10;
constexpr std::size_t ahead_max = 2;

// A reader that does not read its answers loses them; it never stops the agent. A pipe that polls writable
// takes a line as a whole (PIPE_BUF).
void answer(const std::string& line) {
  pollfd out{STDOUT_FILENO, POLLOUT, 0};
  if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
  const auto written = write(STDOUT_FILENO, line.data(), line.size());
  static_cast<void>(written);
}

}  // namespace

struct StdinInput::Reader {
  std::mutex mutex;
  std::condition_variable wake;
  std::size_t ahead = 0;  // chunks handed over and not done with
  bool stopping = false;
  int stop_pipe[2] = {-1, -1};
  StdinInput* input = nullptr;                      // loop thread
  std::deque<std::pair<std::string, bool>> chunks;  // loop thread
  std::thread thread;

  void run(io::Loop& loop, const std::shared_ptr<Reader>& self);
  ssize_t read_some(std::string& bytes);
};

ssize_t StdinInput::Reader::read_some(std::string& bytes) {
  while (true) {
    pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {stop_pipe[0], POLLIN, 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return -1;
    if (fds[1].revents != 0) return 0;
    const ssize_t got = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
  }
}

void StdinInput::Reader::run(io::Loop& loop, const std::shared_ptr<Reader>& self) {
  pthread_setname_np(pthread_self(), "stdin");
  for (bool end = false; !end;) {
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [this] { return stopping || ahead < ahead_max; });
      if (stopping) return;
      ++ahead;
    }
    std::string bytes(chunk_bytes, '\0');
    const ssize_t got = read_some(bytes);
    end = got <= 0;
    bytes.resize(end ? 0 : static_cast<std::size_t>(got));
    loop.post([self, bytes = std::move(bytes), end]() mutable {
      if (self->input != nullptr) self->input->chunk(std::move(bytes), end);
    });
  }
}

StdinInput::StdinInput(io::Loop& loop, Intake& intake, Driver& driver, std::function<void()> ended)
    : loop_(loop),
      intake_(intake),
      driver_(driver),
      ended_(std::move(ended)),
      feed_(intake),
      reader_(std::make_shared<Reader>()) {
  reader_->input = this;
  driver_.add_input(intake_.options().input, *this);
}

void StdinInput::start() {
  if (pipe(reader_->stop_pipe) != 0) {
    LOG(error, "stdin: no pipe to stop its reader");
    return;
  }
  reader_->thread = std::thread([r = reader_, &loop = loop_] { r->run(loop, r); });
}

StdinInput::~StdinInput() {
  driver_.remove_input(intake_.options().input);
  reader_->input = nullptr;
  {
    const std::lock_guard lock(reader_->mutex);
    reader_->stopping = true;
    reader_->wake.notify_all();
  }
  if (!reader_->thread.joinable()) return;
  const auto written = write(reader_->stop_pipe[1], "x", 1);
  static_cast<void>(written);
  reader_->thread.join();
  close(reader_->stop_pipe[0]);
  close(reader_->stop_pipe[1]);
}

void StdinInput::chunk(std::string bytes, bool end) {
  reader_->chunks.emplace_back(std::move(bytes), end);
  advance();
}

void StdinInput::advance() {
  if (busy_) return;
  busy_ = true;
  while (feed_.go_on() && !reader_->chunks.empty()) {
    const auto [bytes, end] = std::move(reader_->chunks.front());
    reader_->chunks.pop_front();
    at_end_ = at_end_ || end;
    feed_.feed(bytes);
    const std::lock_guard lock(reader_->mutex);
    --reader_->ahead;
    reader_->wake.notify_all();
  }
  driver_.settle();
  if (feed_.lines() > asked_) driver_.when_durable(*this, asked_ = feed_.lines());
  busy_ = false;
  if (at_end_ && !finished_ && reader_->chunks.empty() && feed_.finish()) {
    finished_ = true;
    driver_.settle();
    driver_.when_durable(*this, asked_ = feed_.lines());
  }
}

void StdinInput::durable(std::uint64_t lines) {
  answer(fmt::format("{{\"durable\":{}}}\n", lines));
  if (finished_ && lines == feed_.lines() && ended_) std::exchange(ended_, nullptr)();
}

void StdinInput::resume() { advance(); }

}  // namespace edgelog::agent
