// Tracer: tells line by line what the processors of a machine do. docs/tracing.md.
//
// It only looks: a run with it is the run without. Interrupts, faults and system calls are told by what runs in C++ in every
// engine; while instructions or branches are traced, everything is interpreted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "machine/observe/trace_kinds.h"

namespace reprise::machine {

/// Where the lines go.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  /// Without a newline.
  virtual void line(std::string_view text) = 0;
  /// Nothing follows for some milliseconds.
  virtual void pause() {}
};

/// Thread: the one that runs the machine.
class Tracer final : private AccessTrace, private TurnObserver {
 public:
  /// `sink` outlives this.
  Tracer(TraceKinds kinds, TraceSink& sink);
  ~Tracer() override;
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  /// For the machine's backends, before there is a machine.
  AccessTraces access_traces();
  /// From now on, until end(). `machine` outlives that.
  void begin(Machine& machine);
  void end();

 private:
  class Watch;

  // AccessTrace
  void port_accessed(AccessKind kind, u16 port, Width width, u32 value) override;
  void mmio_accessed(AccessKind kind, std::string_view name, u64 offset, Width width, u64 value) override;
  // TurnObserver
  u64 budget(u64 limit) override { return limit; }
  void between_turns() override { sink_.pause(); }

  void line(unsigned processor, u64 linear, TraceKind kind, std::string_view what);
  void access_line(TraceKind kind, std::string_view what);

  const TraceKinds kinds_;
  TraceSink& sink_;
  Machine* machine_ = nullptr;  // while it traces
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace reprise::machine
