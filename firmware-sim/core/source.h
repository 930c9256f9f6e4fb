#pragma once
// Where events come from: a recording that is replayed, or a model of a building. A driver takes them when
// they are due and puts them into the device's outbox.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace edgelog::firmware {

struct Made {
  enum class What : unsigned char { event, reboot } what = What::event;
  std::string device;   // its name: unique in the source
  std::string fields;   // of the payload, as JSON without braces and without boot and number
  std::string notice;   // fields that the device repeats in its notices, likewise
  bool repeat = false;  // the firmware stutters: it publishes this one twice
};

class EventSource {
 public:
  virtual ~EventSource() = default;
  // When front() is due, on the driver's clock that started at Instant{}; `never` when there is none any more.
  virtual Instant deadline() const = 0;
  virtual const Made& front() const = 0;  // valid until pop()
  virtual void pop() = 0;
};

}  // namespace edgelog::firmware
