#pragma once
// What an MQTT client subscribes to, and what the server said to each filter (MQTT 5, 3.9.3: a SUBACK has a reason
// code for each). Decides only: who calls sends what is to be asked. One thread.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace edgelog::io {

inline constexpr int first_failure_reason = 0x80;  // MQTT 5, 2.4
inline constexpr int unknown_reason = -1;          // the SUBACK's reader keeps the reason for this filter to itself

struct Refusals {
  std::string sentence;  // empty: none any more
  std::vector<std::string> filters;
};

class Subscriptions {
 public:
  bool add(const std::string& filter);     // false: it was there
  bool remove(const std::string& filter);  // false: it was not
  std::vector<std::string> filters() const { return {filters_.begin(), filters_.end()}; }

  // A new connection: nothing is asked, refused or told.
  void begin();
  // A SUBSCRIBE of these goes out.
  void asked(const std::vector<std::string>& filters);
  // True if this filter is to be asked for alone: its reason is unknown, and it stays what it was until then.
  bool answered(const std::string& filter, int reason);
  bool all_answered() const { return unanswered_.empty(); }
  std::vector<std::string> refused() const;

  // What the server refuses, once all are answered, and only where that changed since it was last told. Of the whole:
  // hundreds of filters may be answered one by one.
  std::optional<Refusals> news();

 private:
  std::set<std::string> filters_;
  std::map<std::string, int> refused_;  // of these, with the reason code
  std::map<std::string, int> told_;     // what refused_ was when it was told
  std::set<std::string> unanswered_;    // filters whose own answer is awaited
};

}  // namespace edgelog::io
