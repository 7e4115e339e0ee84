#include "machine/past/machine_copy.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "machine/plug/share_device.h"
#include "machine/storage/run_files.h"

namespace reprise::machine {
namespace {

/// The drives had the same media all the time.
bool media_stayed(const Checkpoints& checkpoints) {
  const DiskSet::Contents& first = checkpoints.first().disks;
  return std::ranges::all_of(checkpoints.all(), [&](const auto& one) {
    return std::ranges::equal(one->disks, first, {}, &DiskSet::Content::medium, &DiskSet::Content::medium);
  });
}

}  // namespace

Result<std::unique_ptr<MachineCopy>> MachineCopy::make(Excursion& trip,
                                                       const std::shared_ptr<std::mutex>& turns) {
  std::unique_ptr<MachineCopy> copy(new MachineCopy(trip.machine()));
  TRY(copy->build(trip, turns));
  return copy;
}

Result<Done> MachineCopy::build(Excursion& trip, const std::shared_ptr<std::mutex>& turns) {
  if (!media_stayed(original_.checkpoints_)) return Error{"Media were changed."};
  if (!original_.shares_.backends().empty()) return Error{"Answers of shared folders are one machine's."};
  MachineConfig config = original_.config_;
  config.replayed = true;
  if (config.files == nullptr) config.files = std::make_shared<RunFiles>();
  config.history = {};
  config.jit.dump_sink = [](std::string_view) {};
  config.jit.code_store = nullptr;  // what is kept is the run's own
  config.firmware.variables_path.clear();
  DiskSet disks = TRY(original_.disks_.copy_of(trip.origin().disks, turns));
  ShareSet shares = ShareSet::recorded(share_configs(config.devices));
  std::unique_ptr<mmu::Ram> ram = TRY(mmu::Ram::create(original_.ram_->bytes()));
  const PcBackends backends{.com1 = silence_,
                            .com2 = silence_,
                            .disks = disks.attached(),
                            .console = &silence_,
                            .shares = shares.backends(),
                            .files = config.files};
  machine_.reset(new Machine(config, std::move(disks), std::move(shares), std::move(ram), backends, log_));
  Machine& machine = *machine_;
  machine.gate_.set_open(false);
  const std::size_t files_read = config.files->files_read().size();
  TRY(machine.pc_.plug_in(config.devices));
  machine.follow_cards();
  TRY(machine.network_.start(machine.pc_.scheduler(), machine.outside_, machine.pc_.net_cards()));
  machine.add_sinks();
  // ROMs have to be where they are; RAM and registers come from a checkpoint.
  if (config.boot.kernel_path.empty())
    TRY(machine.pc_.boot_firmware(config.firmware));
  else
    TRY(machine.pc_.boot(config.boot, config.firmware));
  config.files->forget_read(files_read);
  machine.outside_.follow_recording();
  if (const Recording* const recording = original_.replay_->recording(); recording != nullptr)
    machine.replay_ = std::make_unique<Replay>(TRY(Recording::open(recording->path())));
  else
    machine.replay_ = std::make_unique<Replay>(TRY(original_.recorder_.log()), trip.origin().log);
  machine.present_ = Machine::Present{
      .at = original_.present_->at, .ending = {}, .own = {}, .figures = {}, .boot_attempts = 0};
  machine.away_ = true;
  pages_ = std::make_unique<PageStore::View>(*machine.ram_);
  original_.checkpoints_.pages().add_view(*pages_);
  return Done{};
}

MachineCopy::~MachineCopy() {
  if (pages_ != nullptr) original_.checkpoints_.pages().remove_view(*pages_);
}

void MachineCopy::go_to(const Checkpoint& checkpoint) {
  Machine& machine = *machine_;
  original_.checkpoints_.restore(*pages_, checkpoint,
                                 [&](u64 page) { machine.pc_.page_replaced(page * kPageBytes); });
  machine.disks_.repeat(checkpoint.disks);
  Archive archive(checkpoint.machine);
  machine.pc_.serialize(archive);
  machine.serialize_checkpoint(archive);
  CHECK(archive.ok() && archive.at_end());
  machine.pc_.state_repeated();
  machine.replay_->go_to(checkpoint.log);
  machine.reset_ending_.reset();
  machine.debugger_.resumed();
}

}  // namespace reprise::machine
