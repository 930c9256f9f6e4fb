#pragma once
// Child processes of a test: started with their output in a file, ended by their own pid.
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace edgelog::test {

class Process {
 public:
  Process(std::vector<std::string> command, const std::string& log_file);
  ~Process();  // kills
  Process(Process&&) noexcept;
  Process& operator=(Process&&) = delete;

  void signal(int number) const;
  bool running();
  // SIGTERM; the exit code, or -1 if it was not over within 10 s or ended by a signal.
  int stop();
  void kill();
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

std::uint16_t free_port();
// True once something accepts connections on 127.0.0.1:port.
bool await_port(std::uint16_t port, int seconds);
// Between two looks at what tells nobody when it changes: a foreign process.
void pause_briefly();
std::string make_temporary_directory();
// Status and body of GET http://127.0.0.1:port/path; empty if nobody answers.
std::string http_get(std::uint16_t port, const std::string& path);

}  // namespace edgelog::test
