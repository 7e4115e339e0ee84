// Topology: how the machine's processors lie in packages and cores, and the local APIC ids that follow. SDM 3A 8.9.
#pragma once

#include <bit>

#include "common/types.h"

namespace reprise::cpu {

inline constexpr unsigned kMaxProcessors = 64;

struct Topology {
  unsigned sockets = 1;
  unsigned cores = 1;    // of a socket
  unsigned threads = 1;  // of a core

  /// Processors of the machine.
  constexpr unsigned count() const { return sockets * per_socket(); }
  constexpr unsigned per_socket() const { return cores * threads; }
  /// Bits of an APIC id that tell threads of one core apart, and those of one socket.
  constexpr unsigned thread_bits() const { return static_cast<unsigned>(std::bit_width(threads - 1)); }
  constexpr unsigned socket_bits() const {
    return thread_bits() + static_cast<unsigned>(std::bit_width(cores - 1));
  }
  /// That of processor `index`, below count(): threads first, then cores. At most 127 for kMaxProcessors.
  constexpr u32 apic_id(unsigned index) const {
    return (index / per_socket()) << socket_bits() | (index / threads % cores) << thread_bits() |
           index % threads;
  }

  /// One more than the highest of them.
  constexpr u32 apic_id_limit() const { return apic_id(count() - 1) + 1; }

  bool operator==(const Topology&) const = default;
};

}  // namespace reprise::cpu
