#pragma once
// The file beside a damaged log that says under which name it is set aside: there from before anything is moved until
// the new log has durably named what was lost. So however often the agent is killed meanwhile, the next start goes on
// with the same damaged log. One thread at a time.
#include <string>

#include "common/base/result.h"

namespace edgelog::agent {

class DamageMark {
 public:
  explicit DamageMark(std::string log) : log_(std::move(log)) {}

  bool stands() const;
  // Durable when it returns. One that stands with a name keeps it; otherwise the first free one is taken. `why` is for
  // who reads the file.
  Status set(const std::string& why);
  // Moves the log under that name, as far as it was not moved before, and takes away a new one that was half made.
  Status move();
  // Takes away the new one alone: it begins again.
  Status discard_new() const;
  Status clear();                                      // durable when it returns
  const std::string& aside() const { return aside_; }  // path; known once set

 private:
  std::string path() const { return log_ + ".damaged"; }
  std::string log_, aside_;
};

}  // namespace edgelog::agent
