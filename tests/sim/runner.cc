#include "tests/sim/runner.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

namespace edgelog::sim {

extern const char commit[];  // from which this was built; written by the build

namespace {

constexpr std::size_t tail_lines = 400;
constexpr std::uint64_t every_kind_from = 500;  // seeds

Trace* dying_trace = nullptr;

// An ASSERT aborts: what led there is worth more than a clean end.
void on_abort(int) {
  if (dying_trace != nullptr) {
    const std::string tail = dying_trace->tail();
    std::fwrite(tail.data(), 1, tail.size(), stdout);
    std::fflush(stdout);
  }
  signal(SIGABRT, SIG_DFL);
}

struct Totals {
  std::uint64_t seeds = 0, failed = 0;
  std::int64_t simulated_ms = 0;
  std::vector<std::uint64_t> faults, checks, first_failures;
};

struct Worker {
  pid_t pid = -1;
  int out = -1;
  std::uint64_t next = 0;  // seed that it works on
  std::uint64_t last = 0, step = 1;
  std::string pending;
};

void work(const Kind& kind, const Worker& worker, int out) {
  for (std::uint64_t seed = worker.next; seed <= worker.last; seed += worker.step) {
    Trace trace(0);
    const SeedResult result = kind.run(seed, trace);
    std::string line = fmt::format("{} {} {}", seed, result.failure.empty() ? 1 : 0, to_millis(result.simulated));
    for (const auto n : result.faults) line += fmt::format(" {}", n);
    for (const auto n : result.checks) line += fmt::format(" {}", n);
    std::string why = result.failure;
    std::replace(why.begin(), why.end(), '\n', ' ');
    line += '\t' + why + '\n';
    for (std::size_t at = 0; at < line.size();) {
      const auto n = write(out, line.data() + at, line.size() - at);
      if (n <= 0) _exit(3);
      at += static_cast<std::size_t>(n);
    }
  }
  _exit(0);
}

void start(const Kind& kind, Worker& worker) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(stdout);
  worker.pid = fork();
  if (worker.pid == 0) {
    close(ends[0]);
    work(kind, worker, ends[1]);
  }
  close(ends[1]);
  worker.out = ends[0];
  worker.pending.clear();
}

void note_failure(Totals& totals, std::uint64_t seed, const std::string& how) {
  ++totals.failed;
  if (totals.first_failures.size() < 20) totals.first_failures.push_back(seed);
  fmt::print("seed {} {}\n", seed, how);
  std::fflush(stdout);
}

void note_line(const std::string& line, Worker& worker, Totals& totals) {
  std::istringstream in(line);
  std::uint64_t seed = 0, n = 0;
  int held = 0;
  std::int64_t ms = 0;
  in >> seed >> held >> ms;
  ++totals.seeds;
  totals.simulated_ms += ms;
  for (auto& total : totals.faults) total += (in >> n) ? n : 0;
  for (auto& total : totals.checks) total += (in >> n) ? n : 0;
  if (held == 0) note_failure(totals, seed, "FAILED: " + line.substr(line.find('\t') + 1));
  worker.next = seed + worker.step;
}

// False: the worker has ended and has nothing more to do.
bool read_from(const Kind& kind, Worker& worker, Totals& totals) {
  char buffer[65536];
  const auto n = read(worker.out, buffer, sizeof buffer);
  if (n > 0) {
    worker.pending.append(buffer, static_cast<std::size_t>(n));
    for (auto end = worker.pending.find('\n'); end != std::string::npos; end = worker.pending.find('\n')) {
      note_line(worker.pending.substr(0, end), worker, totals);
      worker.pending.erase(0, end + 1);
    }
    return true;
  }
  close(worker.out);
  int status = 0;
  waitpid(worker.pid, &status, 0);
  if (worker.next > worker.last) return false;
  ++totals.seeds;
  note_failure(totals, worker.next, "DIED (an ASSERT?)");
  worker.next += worker.step;
  if (worker.next > worker.last) return false;
  start(kind, worker);
  return true;
}

int report(const Kind& kind, const Totals& totals, double seconds_taken) {
  const double hours = static_cast<double>(totals.simulated_ms) / 3.6e6;
  fmt::print("{} seeds of {}, {} failed; {:.1f} simulated hours in {:.1f} s: {:.2f} simulated hours per second\n",
             totals.seeds, kind.name, totals.failed, hours, seconds_taken, hours / std::max(seconds_taken, 1e-3));
  bool zero = false;
  const auto table = [&](const char* what, const std::vector<std::string>& names,
                         const std::vector<std::uint64_t>& counts) {
    fmt::print("{}:\n", what);
    for (std::size_t i = 0; i < names.size(); ++i) {
      zero |= counts[i] == 0;
      fmt::print("  {:<34} {}{}\n", names[i], counts[i], counts[i] == 0 ? "   <-- never" : "");
    }
  };
  table("faults injected", kind.fault_names, totals.faults);
  table("checks evaluated", kind.check_names, totals.checks);
  if (zero && totals.seeds >= every_kind_from) fmt::print("a kind that stays at zero proves nothing: FAILED\n");
  return totals.failed > 0 || (zero && totals.seeds >= every_kind_from) ? 1 : 0;
}

}  // namespace

int run_range(const Kind& kind, Range range, unsigned jobs) {
  const auto began = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  Totals totals;
  totals.faults.resize(kind.fault_names.size());
  totals.checks.resize(kind.check_names.size());
  std::vector<Worker> workers(jobs);
  for (unsigned i = 0; i < jobs; ++i) {
    workers[i].next = range.from + i;
    workers[i].last = range.to;
    workers[i].step = jobs;
    if (workers[i].next <= workers[i].last) start(kind, workers[i]);
  }
  std::erase_if(workers, [](const Worker& w) { return w.pid < 0; });
  double said = 0;
  while (!workers.empty()) {
    std::vector<pollfd> polled;
    for (const Worker& w : workers) polled.push_back({w.out, POLLIN, 0});
    poll(polled.data(), polled.size(), 1000);
    std::vector<Worker> left;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      if (polled[i].revents == 0 || read_from(kind, workers[i], totals)) left.push_back(std::move(workers[i]));
    }
    workers = std::move(left);
    if (elapsed() - said < 5) continue;
    said = elapsed();
    fmt::print("  {} of {} seeds, {} failed, {:.0f} s\n", totals.seeds, range.to - range.from + 1, totals.failed, said);
    std::fflush(stdout);
  }
  const int code = report(kind, totals, elapsed());
  if (!totals.first_failures.empty()) return run_seed(kind, totals.first_failures.front(), false), 1;
  return code;
}

int run_seed(const Kind& kind, std::uint64_t seed, bool trace) {
  Trace story(trace ? 0 : tail_lines, trace ? stdout : nullptr);
  dying_trace = &story;
  signal(SIGABRT, on_abort);
  const SeedResult result = kind.run(seed, story);
  signal(SIGABRT, SIG_DFL);
  dying_trace = nullptr;
  if (result.failure.empty()) {
    fmt::print("seed {} of {} holds: {} simulated seconds, trace {:016x}\n", seed, kind.name,
               to_millis(result.simulated) / 1000, story.hash());
    return 0;
  }
  fmt::print("{}FAILED: {}\nagain with: edgelog-sim {} --seed {} --trace   (commit {})\n", story.tail(), result.failure,
             kind.name, seed, commit);
  return 1;
}

int run_twice(const Kind& kind, std::uint64_t seed) {
  Trace first(1), second(1);
  const SeedResult a = kind.run(seed, first), b = kind.run(seed, second);
  if (first.hash() == second.hash() && a.failure == b.failure && a.faults == b.faults && a.checks == b.checks) return 0;
  fmt::print("seed {} of {} gave two different traces\n", seed, kind.name);
  return 1;
}

}  // namespace edgelog::sim
