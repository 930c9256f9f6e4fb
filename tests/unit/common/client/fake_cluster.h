#pragma once
// A port to nowhere: links that a test opens, answers and breaks by hand, and a clock that it moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/port/links.h"
#include "common/port/timer.h"
#include "common/wire/all.h"
#include "common/wire/header.h"

namespace edgelog::client {

class FakeTimer final : public Timer {
 public:
  Instant now() const override { return now_; }
  void wake_at(Instant when) override { wake_ = when; }
  Instant wake() const { return wake_; }
  void move_to(Instant now) { now_ = std::max(now_, now); }

 private:
  Instant now_{1'000'000'000};
  Instant wake_ = never;
};

// A request as a broker sees it.
struct Asked {
  wire::RequestHeader header;
  Buffer body;
  template <class Request>
  Request as() const {
    Request request;
    EXPECT_EQ(header.api_key, Request::api.key);
    EXPECT_TRUE(wire::decode(body, header.api_version, request));
    return request;
  }
};

class FakeLinks final : public Links {
 public:
  struct Link {
    Address address;
    LinkEvents* events;
    std::deque<Asked> asked;
  };
  LinkId dial(const Address& address, LinkEvents& events) override {
    const LinkId id{++last_};
    open[id] = {address, &events, {}};
    return id;
  }
  void send(LinkId id, Buffer frame) override {
    Bytes rest = Bytes(frame).subspan(4);
    Asked asked;
    ASSERT_EQ(wire::take_request_header(rest, asked.header), wire::HeaderStatus::good);
    asked.body.assign(rest.begin(), rest.end());
    open.at(id).asked.push_back(std::move(asked));
  }
  std::size_t unsent(LinkId) const override { return 0; }
  void close(LinkId id) override { open.erase(id); }

  // Answers the oldest request of that link.
  template <class Response>
  void answer(LinkId id, const Response& response) {
    const Asked asked = open.at(id).asked.front();
    open.at(id).asked.pop_front();
    Buffer frame;
    wire::encode_response(asked.header.api_version, asked.header.correlation_id, response, frame);
    open.at(id).events->received(id, Bytes(frame).subspan(4));
  }
  void shut(LinkId id) {
    LinkEvents* const events = open.at(id).events;
    open.erase(id);
    events->closed(id, "shut by the test");
  }
  // Opens a link and answers ApiVersions as a broker that speaks all of ours up to `last`.
  void accept(LinkId id) {
    open.at(id).events->opened(id);
    wire::ApiVersionsResponse response;
    for (const wire::Api& api : wire::apis()) response.apis.push_back({api.key, api.first, api.last});
    answer(id, response);
  }

  std::map<LinkId, Link> open;

 private:
  std::uint64_t last_ = 0;
};

}  // namespace edgelog::client
