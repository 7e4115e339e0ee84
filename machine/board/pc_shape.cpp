// What a board consists of: two of the same shape can hold each other's state.
#include <fmt/format.h>

#include "common/hash.h"
#include "machine/board/pc.h"

namespace reprise::machine {
namespace {

/// Everything that a program can ask a processor about itself.
u64 cpuid_digest(const cpu::CpuProfile& profile) {
  u64 digest = 0;
  const cpu::CpuState state;
  for (const u32 first : {0u, 0x4000'0000u, 0x8000'0000u}) {
    for (u32 leaf = first; leaf < first + 0x40; ++leaf) {
      for (u32 subleaf = 0; subleaf < 4; ++subleaf) {
        const cpu::CpuidResult answer = cpu::cpuid(profile, state, {}, leaf, subleaf);
        for (const u32 word : {answer.eax, answer.ebx, answer.ecx, answer.edx}) {
          const u8 bytes[] = {static_cast<u8>(word), static_cast<u8>(word >> 8), static_cast<u8>(word >> 16),
                              static_cast<u8>(word >> 24)};
          digest = hash64(bytes, digest);
        }
      }
    }
  }
  return digest;
}

std::span<const u8> bytes_of(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

std::string schedule_line(const Schedule& schedule) {
  if (schedule.policy == Schedule::Policy::Pct)
    return fmt::format("schedule pct {} {} seed {}", schedule.depth, schedule.length, schedule.seed);
  if (schedule.policy == Schedule::Policy::List)
    return fmt::format("schedule list of {}: {:016x}", schedule.handovers.size(),
                       hash64(bytes_of(handovers_text(schedule.handovers))));
  return fmt::format("schedule turns {} to {} seed {}", schedule.shortest, schedule.longest, schedule.seed);
}

}  // namespace

std::vector<std::string> Pc::shape() {
  std::vector<std::string> lines;
  const cpu::Topology& topology = processors_.boot().cpu.profile.topology;
  lines.push_back(fmt::format("processors {}: sockets {}, cores {}, threads {}", processors_.count(),
                              topology.sockets, topology.cores, topology.threads));
  if (processors_.count() != 1) lines.push_back(schedule_line(processors_.schedule()));
  lines.push_back(fmt::format("cpuid {:016x}", cpuid_digest(processors_.boot().cpu.profile)));
  const mmu::TlbGeometry& tlb = processors_.boot().cpu.profile.tlb;
  lines.push_back(fmt::format("tlb sets {} and {} spaces {}", tlb.sets, tlb.large_sets, tlb.spaces));
  if (!parts_.pc)
    lines.push_back(fmt::format("microvm: pic {} pit {} rtc {} serial {} virtio places {} from {} legacy {}",
                                parts_.pic, parts_.pit, parts_.rtc, parts_.com1, parts_.virtio_places,
                                parts_.first_virtio_interrupt, parts_.legacy_virtio));
  lines.push_back(fmt::format("firmware {:016x}", rom_shadow_ ? hash64(rom_shadow_->rom()) : 0));
  lines.push_back(fmt::format("fw_cfg {:016x}", fw_cfg_.content_digest()));
  for (const NetSlot& net : net_slots_)
    lines.push_back(fmt::format("option rom in slot {} {:016x}", net.slot,
                                hash64(net.card->bar(devices::pci::kRomBar).rom)));
  for (const devices::Device* device : devices()) lines.push_back(fmt::format("device {}", device->name()));
  for (const std::string& name : scheduler_.timer_names()) lines.push_back(fmt::format("timer {}", name));
  lines.insert(lines.end(), plugged_.begin(), plugged_.end());
  return lines;
}

}  // namespace reprise::machine
