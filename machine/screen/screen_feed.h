// ScreenFeed: the guest's screen for displays: windows, VNC.
//
//     machine thread           feed's thread                     a front end's thread
//     --------------           -------------                     --------------------
//     between turns:           asks for a copy, at most as       view.update(): copies what is new,
//     registers and the   -->  often as a view wants one;   -->  tells where
//     pages that changed       makes the picture from it;
//                              calls on_new_picture()
//
// Looking changes nothing of the run: what is copied is what the guest wrote anyway, and the thread that makes the picture
// never touches the machine.
//
// How a front end uses it:
//     const auto view = machine.screen().open({.pictures_per_s = 30, .on_new_picture = [&] { post_event(); }});
//     ... when the event comes: for (const Rect& r : view->update()) draw(view->picture(), r);
//     ... before whatever on_new_picture() uses goes: view.reset()
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "devices/display/picture_maker.h"
#include "machine/outside/host_calls.h"
#include "mmu/ram.h"

namespace reprise::devices {
class Vga;
}

namespace reprise::machine {

class ScreenFeed;

struct ScreenViewConfig {
  unsigned pictures_per_s = 30;  // at most; 1 to 1000
  /// The feed's thread, without a lock held: there is something for update(). It is not called again before update() was.
  /// It must return soon, and may not open or close views. May be empty, for those who look by themselves.
  std::function<void()> on_new_picture = {};
};

/// What one front end has seen of the screen. All methods: the front end's thread, any one at a time.
class ScreenView {
 public:
  /// Before the machine goes; on_new_picture() does not run any more when this returns.
  ~ScreenView();
  ScreenView(const ScreenView&) = delete;
  ScreenView& operator=(const ScreenView&) = delete;

  /// Brings picture() up to date. Returns what is new in it; all of it when its size is another one than before. Nothing
  /// before the first picture, and when nothing changed. Waits for the feed's thread for some milliseconds at most.
  std::vector<devices::Rect> update();
  /// Width 0: there was none yet.
  const devices::Picture& picture() const { return picture_; }

 private:
  friend class ScreenFeed;
  ScreenView(ScreenFeed& feed, ScreenViewConfig config) : feed_(feed), config_(std::move(config)) {}

  ScreenFeed& feed_;
  const ScreenViewConfig config_;
  devices::Picture picture_;
  // Under the feed's mutex:
  std::vector<devices::Rect> pending_;  // what is new since update()
  bool whole_ = true;                   // everything is
  bool told_ = false;                   // and the front end knows
};

class ScreenFeed {
 public:
  /// All outlive this. The card's memory is `ram` from `video_ram_offset` on.
  ScreenFeed(const devices::Vga& vga, mmu::Ram& ram, u64 video_ram_offset, HostCalls& calls);
  /// No view is left.
  ~ScreenFeed();

  /// Pictures come while the machine runs, before that and afterwards none. One thread opens and closes all views; it is
  /// neither the feed's nor the machine's, or run() does not run.
  std::unique_ptr<ScreenView> open(ScreenViewConfig config);

  // --- Machine thread ---
  /// run() begins, and ends. Pictures are made in between only.
  void begin();
  void end();

 private:
  friend class ScreenView;
  using HostClock = std::chrono::steady_clock;

  void close(ScreenView& view);
  void run();
  HostClock::duration interval() const;
  /// Machine thread, between turns: what changed since the last time goes into the mirror.
  void take_over();
  /// Feed's thread.
  void make_picture();

  const devices::Vga& vga_;
  mmu::Ram& ram_;
  const u64 video_ram_offset_;
  HostCalls& calls_;

  // The mirror: the feed's thread has it, and lends it to the machine thread for take_over().
  std::vector<u8> memory_;
  devices::VgaRegisters registers_;
  u64 frame_ = 0;
  devices::ChangedPages changed_;
  u64 seen_epoch_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  devices::PictureMaker maker_;     // under mutex_: its picture is copied by views
  std::vector<ScreenView*> views_;  // under mutex_
  bool running_ = false;            // under mutex_
  bool stop_ = false;               // under mutex_
  ScreenView* telling_ = nullptr;   // under mutex_: whose on_new_picture() runs
  std::thread thread_;              // while there are views
};

}  // namespace reprise::machine
