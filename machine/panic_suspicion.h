// PanicSuspicion: does the guest's kernel look as if it had panicked? What its consoles print says so first; that it
// then prints nothing more, and runs no program, makes it certain.
#pragma once

#include <vector>

#include "machine/panic_watch.h"

namespace reprise::machine {

class PanicSuspicion {
 public:
  /// The consoles behind the guest's, and ports; all outlive it.
  PanicSuspicion(devices::CharBackend& com1, devices::CharBackend& com2, devices::CharBackend* console,
                 std::vector<devices::CharBackend*> ports);

  /// Where the guest's consoles are to write, so that it hears them.
  devices::CharBackend& com1() { return watches_[0]; }
  devices::CharBackend& com2() { return watches_[1]; }
  devices::CharBackend& console() { return watches_[2]; }
  std::vector<devices::CharBackend*> ports();

  /// What all consoles have printed so far.
  u64 bytes_printed() const;
  /// The console on which a panic seems to have been printed, or nullptr.
  const PanicWatch* suspected() const;
  /// The guest does what no dead one does.
  void refute();
  /// Certain at `now_ns`: no program runs (else `cpl` were 3), and nothing was printed for long; without a word that the
  /// kernel has ended, for so long that a crash kernel would have been unpacked. To be asked often while suspected().
  /// Returns as suspected().
  const PanicWatch* confirmed(u64 now_ns, unsigned cpl);

  void serialize(Archive& archive);

 private:
  class NoOutput final : public devices::CharBackend {
   public:
    void write(std::span<const u8>) override {}
  };

  NoOutput no_output_;
  std::vector<PanicWatch> watches_;  // the three, and those of ports
  u64 quiet_from_ns_ = 0;
  u64 bytes_seen_ = 0;
};

}  // namespace reprise::machine
