// The parts around a LAPIC: a processor core that records, and an 8259 pair that answers a fixed vector.
#pragma once

#include "devices/irq/apic.h"
#include "tests/devices/test_board.h"

namespace reprise::devices::testing {

class FakeCore final : public ApicCpu {
 public:
  void nmi() override { ++nmis; }
  void smi() override { ++smis; }
  void init() override { ++inits; }
  void start_up(u8 vector) override { start_ups.push_back(vector); }
  void interrupt() override { ++interrupts; }
  void apic_base_changed(u64 phys, bool enabled) override {
    base_phys = phys;
    mmio_enabled = enabled;
    ++base_changes;
  }
  int nmis = 0;
  int smis = 0;
  int inits = 0;
  int interrupts = 0;
  std::vector<u8> start_ups;
  u64 base_phys = 0;
  bool mmio_enabled = true;
  int base_changes = 0;
};

class FakePic final : public ExtIntSource {
 public:
  u8 acknowledge_ext_int() override {
    ++acknowledges;
    return 0x30;
  }
  int acknowledges = 0;
};

class FakeFabric final : public ApicFabric {
 public:
  void send_ipi(const ApicMessage& message, std::optional<u32> excluded) override {
    messages.push_back(message);
    exclusions.push_back(excluded);
  }
  void broadcast_eoi(u8 vector) override { eois.push_back(vector); }
  std::vector<ApicMessage> messages;
  std::vector<std::optional<u32>> exclusions;
  std::vector<u8> eois;
};

}  // namespace reprise::devices::testing
