// Goes over segments of a history until what is wanted was heard: the first ones by the run itself, which is warm; if that is not
// enough, the others side by side, by copies of it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <thread>

#include "machine/past/machine_copy.h"
#include "machine/past/segments.h"

namespace reprise::machine {

/// Of several in one segment.
enum class Wanted : u8 { First, Last };

/// Segments that are gone over before copies are made.
inline constexpr std::size_t kSegmentsInPlace = 2;

template <class Listener>
const std::optional<typename Listener::Event>& heard(const Listener& listener, Wanted wanted) {
  return wanted == Wanted::First ? listener.first() : listener.last();
}

/// Several threads take segments, each the next one, until one of them has what is wanted and all before it are done.
template <class Listener, class Make>
class SideBySide {
 public:
  using Event = typename Listener::Event;
  SideBySide(Excursion& trip, std::span<const Segment> segments, Wanted wanted, const Make& make)
      : trip_(trip), segments_(segments), wanted_(wanted), make_(make), found_(segments.size()) {}

  /// Nothing: no copy could be made.
  std::optional<Result<std::optional<Event>>> run(unsigned jobs) {
    const auto turns = std::make_shared<std::mutex>();
    std::vector<std::unique_ptr<MachineCopy>> copies;
    while (copies.size() < std::min<std::size_t>(jobs, segments_.size())) {
      Result<std::unique_ptr<MachineCopy>> copy = MachineCopy::make(trip_, turns);
      if (!copy) break;
      copies.push_back(copy.take());
    }
    if (copies.empty()) return std::nullopt;
    working_ = copies.size();
    std::vector<std::thread> threads;
    threads.reserve(copies.size());
    for (const auto& copy : copies) threads.emplace_back([this, &copy] { work(*copy); });
    {
      std::unique_lock lock(mutex_);
      while (!done_.wait_for(lock, std::chrono::milliseconds(50), [this] { return working_ == 0; }))
        if (trip_.interrupted()) interrupted_ = true;
    }
    for (std::thread& thread : threads) thread.join();
    if (interrupted_) return Result<std::optional<Event>>(interrupted());
    return Result<std::optional<Event>>(std::move(event_));
  }

 private:
  void work(MachineCopy& copy) {
    std::unique_lock lock(mutex_);
    while (next_ < found_ && !interrupted_) {
      const std::size_t index = next_++;
      lock.unlock();
      Listener listener = make_(copy.machine());
      copy.go_to(*segments_[index].from);
      listener.begin();
      std::function<bool()> enough;
      if (wanted_ == Wanted::First) enough = [&] { return listener.first().has_value(); };
      const Excursion::End end = copy.run_until(segments_[index].to, {listener.wanted(), enough},
                                                [&] { return interrupted_.load() || found_.load() < index; });
      lock.lock();
      if (end == Excursion::End::Interrupted || !heard(listener, wanted_) || found_ < index) continue;
      found_ = index;
      event_ = heard(listener, wanted_);
    }
    --working_;
    done_.notify_one();
  }

  Excursion& trip_;
  const std::span<const Segment> segments_;
  const Wanted wanted_;
  const Make& make_;
  std::mutex mutex_;
  std::condition_variable done_;
  std::size_t working_ = 0;
  std::size_t next_ = 0;
  std::atomic<std::size_t> found_;  // the first segment that had it
  std::atomic<bool> interrupted_ = false;
  std::optional<Event> event_;
};

/// What the first of `list` has of it, in which anything is heard. `make(machine)` makes a listener.
template <class Make>
auto search(Excursion& trip, std::span<const Segment> list, Wanted wanted, const Make& make)
    -> Result<std::optional<typename decltype(make(trip.machine()))::Event>> {
  using Listener = decltype(make(trip.machine()));
  const unsigned jobs = trip.machine().question_jobs();
  bool alone = jobs <= 1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!alone && i >= kSegmentsInPlace && i + 1 < list.size()) {
      if (auto result = SideBySide<Listener, Make>(trip, list.subspan(i), wanted, make).run(jobs))
        return *std::move(result);
      alone = true;
    }
    Listener listener = make(trip.machine());
    trip.go_to(*list[i].from);
    listener.begin();
    std::function<bool()> enough;
    if (wanted == Wanted::First) enough = [&] { return listener.first().has_value(); };
    if (trip.run_until(list[i].to, {listener.wanted(), enough}) == Excursion::End::Interrupted)
      return interrupted();
    if (heard(listener, wanted)) return heard(listener, wanted);
  }
  return std::optional<typename Listener::Event>();
}

}  // namespace reprise::machine
