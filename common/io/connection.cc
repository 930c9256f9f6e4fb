#include "common/io/connection.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/io/tcp_server.h"

namespace edgelog::io {

namespace {
constexpr std::size_t length_bytes = 4;
constexpr std::size_t pieces_max = 64;

std::int32_t frame_length(Bytes data) { return load_big<std::int32_t>(data.data()); }

Buffer length_prefix(std::size_t size) {
  Buffer prefix(length_bytes);
  store_big(prefix.data(), static_cast<std::int32_t>(size));
  return prefix;
}
}  // namespace

Connection::Connection(ConnectionHost& host, ConnectionId id, std::unique_ptr<Stream> stream)
    : host_(host),
      id_(id),
      stream_(std::move(stream)),
      moved_at_(host.now()),
      frame_since_(moved_at_),
      owes_since_(moved_at_) {}

Connection::~Connection() { ASSERT(stream_ == nullptr); }

void Connection::start() { wait_to_read(); }

bool Connection::may_take() const {
  const auto& limits = host_.options();
  return !host_.stopping() && slots_.size() < limits.in_flight_max && unsent_ + unreleased_ < limits.unsent_bytes_max;
}

void Connection::wait_to_read() {
  if (!open() || reading_ || wants_memory_ || !may_take()) return;
  reading_ = true;
  stream_->wait_readable([weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->open()) self->on_readable();
  });
}

void Connection::on_readable() {
  reading_ = false;
  // A few rounds, then the others have their turn.
  for (int round = 0; round < 4 && open() && may_take() && read_once(); ++round) {
  }
  wait_to_read();
}

bool Connection::read_once() {
  const std::size_t before = pending_.size();
  const bool whole_frame_known = before >= length_bytes && reserved_ > 0;
  MutableBytes into = host_.scratch();
  if (whole_frame_known) {  // a large frame is read where it will be served, not by way of the scratch
    const std::size_t missing = static_cast<std::size_t>(frame_length(pending_)) + length_bytes - before;
    pending_.resize(before + std::min(missing, into.size()));
    into = MutableBytes(pending_).subspan(before);
  }
  const Moved moved = stream_->read(into);
  if (whole_frame_known) pending_.resize(before + moved.bytes);
  if (moved.went == Went::ended) {
    close();
    return false;
  }
  if (moved.bytes == 0) return false;
  moved_at_ = host_.now();
  host_.metrics().bytes_in.add(moved.bytes);
  if (whole_frame_known) {
    serve_pending();
  } else if (before > 0) {
    append(pending_, into.first(moved.bytes));
    serve_pending();
  } else {
    const std::size_t used = serve(into.first(moved.bytes));
    if (open() && used < moved.bytes) {
      pending_.assign(into.begin() + static_cast<std::ptrdiff_t>(used),
                      into.begin() + static_cast<std::ptrdiff_t>(moved.bytes));
      const bool room = make_room_for_frame();
      note_pending(true);
      return room;
    }
  }
  return open() && !wants_memory_ && moved.bytes == into.size();
}

void Connection::serve_pending() {
  const std::size_t used = serve(pending_);
  if (!open()) return;
  if (used == pending_.size()) {
    Buffer().swap(pending_);  // an idle connection holds nothing
  } else if (used > 0) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
  }
  if (used > 0 && reserved_ > 0) host_.release(std::exchange(reserved_, 0));
  if (!pending_.empty()) make_room_for_frame();
  note_pending(used > 0);
}

// After every change of pending_: what of it is not reserved counts; a frame is as old as its first bytes.
void Connection::note_pending(bool next_frame) {
  if (next_frame) frame_since_ = host_.now();
  const std::size_t now = reserved_ > 0 ? 0 : pending_.size();
  host_.count_beginnings(std::exchange(counted_, now), now);
}

std::size_t Connection::serve(MutableBytes data) {
  std::size_t used = 0;
  serving_ = true;
  while (open() && data.size() - used >= length_bytes && may_take()) {
    const std::int32_t length = frame_length(data.subspan(used));
    if (length < 0 || static_cast<std::size_t>(length) > host_.options().frame_bytes_max) {
      host_.metrics().bad_frames.add();
      LOG(debug, "connection {}: frame of {} bytes refused", id_.value(), length);
      close();
      break;
    }
    const auto size = static_cast<std::size_t>(length);
    if (data.size() - used - length_bytes < size) break;
    const Ticket ticket{first_ticket_ + slots_.size()};
    slots_.emplace_back();
    host_.metrics().requests.add();
    const auto self = shared_from_this();  // the service may close us
    host_.service().request(id_, ticket, data.subspan(used + length_bytes, size));
    used += length_bytes + size;
  }
  serving_ = false;
  return used;
}

// A frame that begins in pending_ and is larger than one read gets its memory reserved before more of
// it is read. False while that has to wait.
bool Connection::make_room_for_frame() {
  wants_memory_ = false;
  if (reserved_ > 0 || pending_.size() < length_bytes) return true;
  const std::int32_t length = frame_length(pending_);
  if (length < 0 || static_cast<std::size_t>(length) > host_.options().frame_bytes_max)
    return true;  // serve() refuses it
  const std::size_t size = static_cast<std::size_t>(length) + length_bytes;
  if (size <= host_.scratch().size() || size <= pending_.size()) return true;
  if (!host_.reserve(id_, size)) {
    wants_memory_ = true;
    return false;
  }
  reserved_ = size;
  pending_.reserve(size);  // address space; the pages come as bytes do
  return true;
}

void Connection::resume() {
  if (!open() || serving_) return;
  if (!pending_.empty()) {
    wants_memory_ = false;
    serve_pending();
  }
  wait_to_read();
}

void Connection::respond(Ticket request, std::optional<Reply> reply) {
  if (!open()) return;
  ASSERT(request.value() >= first_ticket_ && request.value() - first_ticket_ < slots_.size());
  Slot& slot = slots_[static_cast<std::size_t>(request.value() - first_ticket_)];
  ASSERT(!slot.done);  // one response per request
  slot.done = true;
  if (reply) {
    const std::size_t bytes = reply->size() + length_bytes;
    if (unsent_ + unreleased_ == 0) owes_since_ = host_.now();
    unreleased_ += bytes;
    host_.add_memory(bytes);
    slot.reply = std::move(reply);
  }
  release_ready();
}

// Replies whose turn has come move to the queue of what is written.
void Connection::release_ready() {
  while (!slots_.empty() && slots_.front().done) {
    if (auto& reply = slots_.front().reply) {
      const std::size_t size = reply->size();
      unreleased_ -= size + length_bytes;
      unsent_ += size + length_bytes;
      out_.push_back(length_prefix(size));
      for (auto& part : reply->parts) {
        if (!part.empty()) out_.push_back(std::move(part));
      }
    }
    slots_.pop_front();
    ++first_ticket_;
  }
  host_.flush_soon(id_);
}

void Connection::flush() {
  if (!open() || writing_) return;
  while (!out_.empty()) {
    std::array<Bytes, pieces_max> pieces;
    std::size_t count = 0;
    for (auto at = out_.begin(); at != out_.end() && count < pieces.size(); ++at) pieces[count++] = *at;
    pieces[0] = pieces[0].subspan(out_sent_);
    const Moved moved = stream_->write(std::span<const Bytes>(pieces.data(), count));
    if (moved.went == Went::ended) return close();
    drop_sent(moved.bytes);
    if (moved.went == Went::would_block) {
      writing_ = true;
      stream_->wait_writable([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || !self->open()) return;
        self->writing_ = false;
        self->flush();
      });
      break;
    }
  }
  resume();
}

void Connection::drop_sent(std::size_t bytes) {
  if (bytes == 0) return;
  moved_at_ = host_.now();
  host_.metrics().bytes_out.add(bytes);
  unsent_ -= bytes;
  host_.release(bytes);
  for (out_sent_ += bytes; !out_.empty() && out_sent_ >= out_.front().size(); out_.pop_front()) {
    out_sent_ -= out_.front().size();
  }
}

void Connection::close() {
  if (!open()) return;
  stream_.reset();
  host_.count_beginnings(std::exchange(counted_, 0), 0);
  host_.release(std::exchange(reserved_, 0) + std::exchange(unsent_, 0) + std::exchange(unreleased_, 0));
  out_.clear();
  slots_.clear();
  host_.service().closed(id_);
  host_.forget(id_);
}

std::optional<Instant> Connection::burden_since() const {
  if (!open()) return std::nullopt;
  if (unsent_ + unreleased_ > 0) return owes_since_;
  if (!pending_.empty()) return frame_since_;
  return std::nullopt;
}

bool Connection::dawdles(Instant now) const {
  if (!open() || reserved_ == 0) return false;
  const auto& limits = host_.options();
  const Duration took = now - frame_since_;
  const auto due = static_cast<std::int64_t>(limits.frame_bytes_per_second_min) * to_millis(took) / 1000;
  return took > limits.frame_grace && static_cast<std::int64_t>(pending_.size()) < due;
}

void Connection::check_idle(Instant now) {
  if (!open()) return;
  const auto& limits = host_.options();
  const bool mid_frame = !pending_.empty() && !wants_memory_ && slots_.empty();
  const bool mid_reply = unsent_ > 0;
  const bool stalled = (mid_frame || mid_reply) && now - moved_at_ > limits.stalled_max;
  const bool idle = quiet() && now - moved_at_ > limits.idle_max;
  if (!stalled && !idle) return;
  host_.metrics().timed_out.add();
  close();
}

}  // namespace edgelog::io
