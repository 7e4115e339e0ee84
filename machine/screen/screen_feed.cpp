#include "machine/screen/screen_feed.h"

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "devices/display/vga.h"

namespace reprise::machine {
namespace {

using devices::Rect;

constexpr Rect whole(const devices::Picture& picture) { return {0, 0, picture.width, picture.height}; }

/// So many pieces are one front end's work; beyond, the piece that holds them all is less.
constexpr std::size_t kMostPieces = 64;

void add_pieces(std::vector<Rect>& to, const std::vector<Rect>& from) {
  to.insert(to.end(), from.begin(), from.end());
  if (to.size() <= kMostPieces) return;
  u32 left = ~0u, top = ~0u, right = 0, bottom = 0;
  for (const Rect& rect : to) {
    left = std::min(left, rect.x);
    top = std::min(top, rect.y);
    right = std::max(right, rect.x + rect.width);
    bottom = std::max(bottom, rect.y + rect.height);
  }
  to.assign(1, {left, top, right - left, bottom - top});
}

}  // namespace

ScreenView::~ScreenView() { feed_.close(*this); }

std::vector<Rect> ScreenView::update() {
  const std::lock_guard lock(feed_.mutex_);
  told_ = false;
  const devices::Picture& newest = feed_.maker_.picture();
  if (newest.width == 0) return {};
  std::vector<Rect> pieces = std::exchange(pending_, {});
  if (std::exchange(whole_, false) || !picture_.same_shape(newest)) {
    picture_ = newest;
    return {whole(newest)};
  }
  for (const Rect& rect : pieces) {
    for (u32 y = rect.y; y < rect.y + rect.height; ++y) {
      const auto from = newest.row(y).subspan(rect.x, rect.width);
      std::ranges::copy(
          from, picture_.pixels.begin() + static_cast<std::ptrdiff_t>(u64{y} * newest.width + rect.x));
    }
  }
  return pieces;
}

ScreenFeed::ScreenFeed(const devices::Vga& vga, mmu::Ram& ram, u64 video_ram_offset, HostCalls& calls)
    : vga_(vga),
      ram_(ram),
      video_ram_offset_(video_ram_offset),
      calls_(calls),
      changed_(ram.bytes() - video_ram_offset) {}

ScreenFeed::~ScreenFeed() { CHECK(views_.empty()); }

std::unique_ptr<ScreenView> ScreenFeed::open(ScreenViewConfig config) {
  std::unique_ptr<ScreenView> view(new ScreenView(*this, std::move(config)));
  const std::lock_guard lock(mutex_);
  views_.push_back(view.get());
  stop_ = false;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  wake_.notify_all();
  return view;
}

void ScreenFeed::close(ScreenView& view) {
  std::thread ended;
  {
    std::unique_lock lock(mutex_);
    std::erase(views_, &view);
    wake_.wait(lock, [&] { return telling_ != &view; });
    if (views_.empty()) {
      stop_ = true;
      ended = std::move(thread_);
      wake_.notify_all();
    }
  }
  if (ended.joinable()) ended.join();
}

void ScreenFeed::begin() {
  const std::lock_guard lock(mutex_);
  running_ = true;
  wake_.notify_all();
}

void ScreenFeed::end() {
  const std::lock_guard lock(mutex_);
  running_ = false;
}

/// Of those who look, the one who looks most often decides.
ScreenFeed::HostClock::duration ScreenFeed::interval() const {
  unsigned most = 1;
  for (const ScreenView* view : views_) most = std::max(most, view->config_.pictures_per_s);
  return std::chrono::duration_cast<HostClock::duration>(std::chrono::seconds(1)) / std::min(most, 1000u);
}

void ScreenFeed::run() {
  HostClock::time_point next = HostClock::now();
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!running_) {
      wake_.wait(lock);
      continue;
    }
    if (HostClock::now() < next) {
      wake_.wait_until(lock, next);
      continue;
    }
    next = HostClock::now() + interval();
    lock.unlock();
    const bool taken = calls_.run([this] { take_over(); });
    lock.lock();
    // Otherwise the run is over, or about to be.
    if (!taken) continue;
    make_picture();
    for (std::size_t i = 0; i < views_.size(); ++i) {
      ScreenView* const view = views_[i];
      if (view->told_ || (view->pending_.empty() && !view->whole_) || !view->config_.on_new_picture) continue;
      view->told_ = true;
      telling_ = view;
      lock.unlock();
      view->config_.on_new_picture();
      lock.lock();
      telling_ = nullptr;
      wake_.notify_all();
    }
  }
}

void ScreenFeed::take_over() {
  registers_ = vga_.registers();
  frame_ = vga_.frame();
  const u64 first = video_ram_offset_ / kPageBytes;
  const u64 bytes = ram_.bytes() - video_ram_offset_;
  if (memory_.empty()) memory_.resize(bytes);
  changed_ = devices::ChangedPages(bytes);
  bool any = false;
  ram_.for_each_written_since(seen_epoch_, first, first + bytes / kPageBytes, [&](u64 page) {
    std::memcpy(&memory_[(page - first) * kPageBytes], ram_.host() + page * kPageBytes, kPageBytes);
    changed_.add(page - first);
    any = true;
  });
  // A page that was not written has no write tag: as long as none was, all tags may stay.
  if (any) seen_epoch_ = ram_.end_epoch();
}

void ScreenFeed::make_picture() {
  const std::vector<Rect> pieces = maker_.update(registers_, frame_, memory_, &changed_);
  for (ScreenView* view : views_) add_pieces(view->pending_, pieces);
}

}  // namespace reprise::machine
