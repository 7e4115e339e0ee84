// What a run cost, for a person.
#include "machine/machine.h"

#include <fmt/format.h>

#include <algorithm>

#include "machine/page_fault_kinds.h"

namespace reprise::machine {

std::string Machine::stats(const RunResult& result) {
  const double seconds = std::max(result.wall_s, 1e-9);
  std::string text = fmt::format(
      "instructions {}, {:.1f} million a second; virtual time {:.3f} s, of which idle {:.3f} s; {:.3f} s on "
      "the host\n",
      result.retired, static_cast<double>(result.retired) / seconds / 1e6,
      static_cast<double>(result.virtual_ns) / 1e9, static_cast<double>(result.idle_ns) / 1e9, result.wall_s);
  const cpu::BlockCache& cache = pc_.engines().cache();
  text += fmt::format("blocks {}, invalidated {}, of which revived {}\n", cache.blocks(),
                      cache.invalidations(), cache.revivals());
  text += pc_.engines().stats();
  for (const auto& processor : pc_.processors()) {
    if (pc_.processors().count() != 1)
      text +=
          fmt::format("processor {}: instructions {}\n", processor->index(), processor->cpu.state.retired);
    const mmu::MmuStats& mmu = processor->cpu.mmu.stats();
    text += fmt::format(
        "first-level TLB misses: read {}, write {}, fetch {}; second-level hits {}; page walks {}; page "
        "faults {}\n",
        mmu.l1_misses[0], mmu.l1_misses[1], mmu.l1_misses[2], mmu.l2_hits, mmu.walks, mmu.page_faults);
    text += fmt::format(
        "TLB flushes: all {}, non-global {}, page {}, PCID {}; page-crossing accesses {}; stores to code "
        "pages {}, and {} beside code\n",
        mmu.flushes_all, mmu.flushes_nonglobal, mmu.flushes_page, mmu.flushes_pcid, mmu.page_crossings,
        mmu.code_page_stores, mmu.stores_beside_code);
    const cpu::VcpuCounts& counts = processor->vcpu.counts();
    const std::vector<PageFaultKind> faults = page_fault_kinds(counts);
    for (std::size_t k = 0; k < faults.size(); ++k)
      text += fmt::format("{}{}: {}", k == 0 ? "page faults of the guest: " : "; ", faults[k].name,
                          faults[k].count);
    if (!faults.empty()) text += "\n";
    text += fmt::format("exceptions {}, interrupts {}, SMIs {}; MMIO reads {}, writes {}\n",
                        counts.exceptions, counts.interrupts, counts.smis, mmu.mmio_reads, mmu.mmio_writes);
  }
  text +=
      fmt::format("port reads {}, writes {}, of which unclaimed {} and {}\n", pc_.counters().port_reads,
                  pc_.counters().port_writes, pc_.ports().unmapped_reads(), pc_.ports().unmapped_writes());
  text += fmt::format("pages read for state hashes {}\n", ram_hash_.pages_hashed());
  return text;
}

}  // namespace reprise::machine
