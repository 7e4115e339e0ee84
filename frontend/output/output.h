// Output: a descriptor that the user gave us to write to. What it does not take is noted, and the run goes on.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "common/losses.h"
#include "devices/backend.h"
#include "frontend/output/patient_writer.h"
#include "machine/storage/host_fd.h"

namespace reprise::frontend {

/// Any thread. A reader that is slow is waited for, as a serial line's flow control would, so that nothing is lost.
class Output final : public devices::CharBackend {
 public:
  /// `descriptor` is not closed. `name` is for people: "standard output". `losses` outlives this.
  Output(std::string name, int descriptor, Losses& losses);
  /// The file is closed with this.
  Output(std::string name, machine::HostFd file, Losses& losses);
  ~Output() override;

  void write(std::span<const u8> bytes) override { put(bytes, Counted::Yes); }
  void write(std::string_view text) { put(as_bytes(text), Counted::Yes); }
  /// A sentence that the exit code repeats: losing it is no loss.
  void tell(std::string_view text) { put(as_bytes(text), Counted::No); }

  /// While `wanted` says true, a reader that takes nothing is not waited for any longer. Before the threads that write.
  void give_up_when(std::function<bool()> wanted) { writer_.give_up_when(std::move(wanted)); }

 private:
  enum class Counted : u8 { No, Yes };
  static std::span<const u8> as_bytes(std::string_view text) {
    return {reinterpret_cast<const u8*>(text.data()), text.size()};
  }

  void put(std::span<const u8> bytes, Counted counted);

  const std::string name_;
  machine::HostFd owned_;
  Losses& losses_;
  std::mutex mutex_;
  PatientWriter writer_;  // under mutex_
};

}  // namespace reprise::frontend
