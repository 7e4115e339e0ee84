#include "machine/memory_report/series_rows.h"

namespace reprise::machine::memory_report {
namespace {

constexpr MeasureRow kRows[kMeasures] = {
    {Measure::Instructions, "instructions", Joined::Sum},
    {Measure::WalksNew, "walks_new", Joined::Sum},
    {Measure::WalksAgain, "walks_again", Joined::Sum},
    {Measure::FlushesAll, "flushes_all", Joined::Sum},
    {Measure::FlushesNonglobal, "flushes_nonglobal", Joined::Sum},
    {Measure::FlushesPcid, "flushes_pcid", Joined::Sum},
    {Measure::FlushesPage, "flushes_page", Joined::Sum},
    {Measure::TlbSmallPages, "tlb_small_pages", Joined::Last},
    {Measure::TlbLargePages, "tlb_large_pages", Joined::Last},
    {Measure::TlbReachBytes, "tlb_reach_bytes", Joined::Last},
    {Measure::DiskReads, "disk_reads", Joined::Sum},
    {Measure::DiskReadBytes, "disk_read_bytes", Joined::Sum},
    {Measure::DiskWrites, "disk_writes", Joined::Sum},
    {Measure::DiskWrittenBytes, "disk_written_bytes", Joined::Sum},
    {Measure::TablesUserPt, "tables_user_pt", Joined::Last},
    {Measure::TablesKernelPt, "tables_kernel_pt", Joined::Last},
    {Measure::TablesPd, "tables_pd", Joined::Last},
    {Measure::TablesPdpt, "tables_pdpt", Joined::Last},
    {Measure::TablesPml4, "tables_pml4", Joined::Last},
    {Measure::TablesPml5, "tables_pml5", Joined::Last},
    {Measure::MappedUserSmall, "mapped_user_small", Joined::Last},
    {Measure::MappedUserHuge, "mapped_user_huge", Joined::Last},
    {Measure::SwappedOut, "swapped_out", Joined::Last},
};
constexpr bool in_order() {
  for (unsigned i = 0; i < kMeasures; ++i)
    if (static_cast<unsigned>(kRows[i].measure) != i) return false;
  return true;
}
static_assert(in_order());

}  // namespace

std::span<const MeasureRow> measure_rows() { return kRows; }

}  // namespace reprise::machine::memory_report
