// Display: something that shows the guest's screen to people and takes their hands' work, until it is destroyed.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace reprise::frontend {

/// The displays of a run share it: whoever opens or closes a view of the ScreenFeed holds it meanwhile, because that takes one
/// at a time.
using ViewMutex = std::mutex;

/// A sentence for the user while the run goes on, from any thread.
using SayToUser = std::function<void(std::string_view sentence)>;

class Display {
 public:
  Display() = default;
  virtual ~Display() = default;
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  /// For people and for the report: "sdl", "vnc:127.0.0.1:5901".
  virtual std::string name() const = 0;
};

}  // namespace reprise::frontend
