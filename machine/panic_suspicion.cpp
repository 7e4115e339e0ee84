#include "machine/panic_suspicion.h"

#include <utility>

namespace reprise::machine {
namespace {

/// A panicked kernel that has printed nothing for this long, and has said that it is at its end, has said everything.
constexpr u64 kPanicQuietNs = 50'000'000;
/// Long enough to check the digest of a crash kernel with its initramfs and to unpack it, some seconds (measured: 1.5 s
/// for 45 MB), before it prints or runs programs.
constexpr u64 kCrashKernelQuietNs = 10'000'000'000;

}  // namespace

PanicSuspicion::PanicSuspicion(devices::CharBackend& com1, devices::CharBackend& com2,
                               devices::CharBackend* console, std::vector<devices::CharBackend*> ports) {
  std::vector<devices::CharBackend*> all = std::move(ports);
  all.insert(all.begin(), {&com1, &com2, console != nullptr ? console : &no_output_});
  watches_.reserve(all.size());
  for (devices::CharBackend* const one : all) watches_.emplace_back(*one);
}

std::vector<devices::CharBackend*> PanicSuspicion::ports() {
  constexpr std::ptrdiff_t kFirst = 3;
  std::vector<devices::CharBackend*> out;
  for (auto watch = watches_.begin() + kFirst; watch != watches_.end(); ++watch) out.push_back(&*watch);
  return out;
}

const PanicWatch* PanicSuspicion::suspected() const {
  for (const PanicWatch& watch : watches_)
    if (watch.suspected()) return &watch;
  return nullptr;
}

u64 PanicSuspicion::bytes_printed() const {
  u64 bytes = 0;
  for (const PanicWatch& watch : watches_) bytes += watch.bytes();
  return bytes;
}

void PanicSuspicion::refute() {
  for (PanicWatch& watch : watches_) watch.refute();
}

const PanicWatch* PanicSuspicion::confirmed(u64 now_ns, unsigned cpl) {
  const PanicWatch* watch = suspected();
  if (watch == nullptr) return nullptr;
  if (cpl == 3) {
    watches_[static_cast<std::size_t>(watch - watches_.data())].refute();
    return nullptr;
  }
  if (const u64 bytes = bytes_printed(); bytes != bytes_seen_) {
    bytes_seen_ = bytes;
    quiet_from_ns_ = now_ns;
  }
  const u64 quiet_ns = watch->ended() ? kPanicQuietNs : kCrashKernelQuietNs;
  return now_ns - quiet_from_ns_ < quiet_ns ? nullptr : watch;
}

void PanicSuspicion::serialize(Archive& archive) {
  archive.tag("panic");
  for (PanicWatch& watch : watches_) watch.serialize(archive);
  archive.value(quiet_from_ns_);
  archive.value(bytes_seen_);
}

}  // namespace reprise::machine
