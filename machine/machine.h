// Machine: a PC with its RAM, its clock and its way to the outside; runs it until something ends the run.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "machine/board/config.h"
#include "machine/board/pc.h"
#include "machine/debug/debugger.h"
#include "machine/guest_event.h"
#include "machine/history/checkpoints.h"
#include "machine/history/kept_checkpoints.h"
#include "machine/history/timeline.h"
#include "machine/hot_plug.h"
#include "machine/media_changes.h"
#include "machine/net/network.h"
#include "machine/outside/host_calls.h"
#include "machine/outside/input_source.h"
#include "machine/outside/input_status.h"
#include "machine/outside/output_gate.h"
#include "machine/outside/outside.h"
#include "machine/panic_suspicion.h"
#include "machine/ram_hash.h"
#include "machine/record/recorder.h"
#include "machine/record/replay.h"
#include "machine/run_result.h"
#include "machine/screen/screen_feed.h"
#include "machine/share/share_log.h"
#include "machine/share/share_set.h"
#include "machine/snapshot/state_file.h"
#include "machine/storage/disk_set.h"
#include "machine/symbols/kernel_symbols.h"
#include "machine/turn_observer.h"

namespace reprise::machine {

/// Error: the first line that differs. `how` the one is kept: "saved".
Result<Done> compare_shapes(const std::vector<std::string>& saved, const std::vector<std::string>& here,
                            std::string_view how);

class Machine final : private MachineControl {
 public:
  /// Opens the disks, allocates RAM, builds the board and loads the kernel. `backends` and `log` outlive the
  /// machine.
  static Result<std::unique_ptr<Machine>> create(const MachineConfig& config, PcBackends backends,
                                                 const Log& log);
  ~Machine() override;

  /// Runs until something ends the run. Machine thread.
  RunResult run(const RunLimits& limits);

  /// Where host input goes in. Any thread.
  Inbox& inbox() { return inbox_; }
  /// What keyboard and pointer show. Any thread. With it and the inbox, machine/outside/input_source.h.
  const InputStatus& input_status() const { return input_status_; }
  /// Hands of scripts and of the monitor. Machine thread.
  InputSource& script_hands() { return script_hands_; }
  /// What came in, and what the host answered. Machine thread, or outside of run().
  const Outside& outside() const { return outside_; }

  /// Work for the machine thread between turns. Any thread.
  HostCalls& host_calls() { return host_calls_; }

  // --- Machine thread: the guest stands still between two instructions until it is resumed. It cannot tell. ---
  void stop();
  void resume();
  /// Resumes it for `instructions` instructions, REP iterations counting one each.
  void step(u64 instructions) {
    if (instructions == 0) return stop();
    resume();
    stop_at_retired_ = retired() + instructions;
  }
  bool stopped() const { return stopped_; }
  /// Other reasons to stop.
  Debugger& debugger() { return debugger_; }

  // --- machine_history.cpp. Machine thread: the guest goes to an instant of its past, and stands still there. ---
  // Outside nothing happens again: up to the present, which is the farthest that the run has come, what the guest prints and sends is
  // dropped, and what it got comes from the log of the run. Then it lives on.
  /// Error: it cannot go back, a sentence.
  Result<Done> check_can_go_back() const;
  /// Back or forward to `instant`. Each begins at once and takes its time; stop() ends it.
  Result<Done> go_to(const Instant& instant);
  Result<Done> step_back(unsigned processor);
  Result<Done> run_back();
  /// Somebody may come who wants to go back: a checkpoint is kept of the beginning, from where the run then runs there. Before run().
  void keep_beginning() { keeps_beginning_ = true; }
  /// From here on checkpoints are taken.
  void begin_to_keep_history() { keeps_history_ = true; }
  /// A checkpoint of now that stays, with a number. Error: as check_can_go_back().
  Result<u64> keep_checkpoint();
  const Checkpoints& checkpoints() const { return checkpoints_; }
  /// It goes over its past. Where the present is then; nothing: it is there.
  bool in_past() const { return present_.has_value(); }
  std::optional<Position> present() const { return present_ ? std::optional(present_->at) : std::nullopt; }
  /// On the way to an instant.
  bool travels() const { return timeline_.travels(); }
  std::optional<Timeline::Stretch> stretch() const { return timeline_.stretch(); }
  /// Why the run ends when it goes on from here; nullptr: it does not.
  const std::string* held_ending() const { return held_ending_ ? &held_ending_->message : nullptr; }
  /// What was the present is forgotten: the run takes another way from here.
  void branch();
  /// So many threads at most answer questions about the past, each but the first with a copy of the machine.
  void set_question_jobs(unsigned jobs) { question_jobs_ = jobs; }
  unsigned question_jobs() const { return question_jobs_; }
  /// While questions about the past are answered (machine/past/questions.h), nothing else happens: `wanted` says that whoever
  /// asked wants no answer any more. Nobody, by nullptr.
  void end_questions_when(std::function<bool()> wanted) { question_ends_ = std::move(wanted); }

  /// Ends the run soon, as `reason`. Any thread, also from a signal handler.
  void request_end(ExitReason reason, int exit_code) {
    end_code_.store(exit_code, std::memory_order_relaxed);
    end_reason_.store(static_cast<int>(reason), std::memory_order_release);
  }

  /// Whether the run is to end for a reason that has nothing to do with the guest: nothing should wait any more. Any
  /// thread, during run().
  bool host_wants_end(const RunLimits& limits) const;

  /// Digest of processors, RAM and devices. Does not disturb the guest.
  u64 state_hash();

  // --- machine_state.cpp. Machine thread, between turns or outside of run() ---
  /// Writes everything that the guest can see, now or later: a machine of the same configuration that loads it, with
  /// any engine, goes on as this one does. Error: the sink failed, or a disk's content is not ours to keep.
  Result<Done> save(StateWriter& writer, RamStore& ram);
  /// Takes over a saved state. The content may be anybody's: what cannot be is refused. After an error that came early
  /// (another machine's state, not a state) nothing has changed; after a later one this machine refuses to run.
  Result<Done> load(StateReader& reader, RamStore& ram);
  /// The same, with RAM in the stream.
  Result<Done> save(StateWriter& writer);
  Result<Done> load(StateReader& reader);
  /// The run begins with what was loaded from `state`: before run(), and before it is recorded or follows a recording.
  void begin_from_state(RecordedFileId state);
  /// As a file, which `reprise run --load` takes. Error: a sentence that names the file.
  Result<Done> save_file(const std::string& path, StateForm form);
  // --- machine_kept.cpp. Machine thread, between turns: of a run that is recorded in a file, or replayed from one ---
  /// Writes what a machine needs that follows the recording from here on. Error: what drives hold cannot be kept, a sentence.
  Result<Done> save_checkpoint(StateWriter& writer, RamStore& ram);
  /// Bytes of the recording's file before what comes in from here on.
  u64 log_bytes() const;
  const MachineConfig& config() const { return config_; }
  const DiskSet& disks() const { return disks_; }
  /// Machine thread, or outside of run().
  const Network& network() const { return network_; }
  Network& network() { return network_; }
  /// Machine thread.
  MediaChanges& media_changes() { return media_changes_; }
  /// Machine thread.
  HotPlug& hot_plug() { return hot_plug_; }
  /// Host time since the run began.
  double wall_s() const;
  /// Machine thread, or outside of run().
  Position position() const;
  /// While what is delivered belongs to an instruction that has retired: the instant before it.
  Position position_before_last() const { return position_at(retired() - 1, virtual_ns() - 1); }
  Recorder& recorder() { return recorder_; }
  /// Follows a recording from the beginning on, which is one of a machine like this. Before run(). Error: it is another's.
  Result<Done> follow(std::unique_ptr<Replay> replay);
  /// The same from a checkpoint of it on.
  Result<Done> follow_from(std::unique_ptr<Replay> replay, KeptCheckpoint& kept);
  const Replay* replay() const { return replay_.get(); }
  /// The run is over; `result` is how it ended.
  void end_recording(const RunResult& result);
  u64 retired() const { return pc_.processors().retired_now(); }
  u64 virtual_ns() const { return pc_.scheduler().now_ns(); }
  Pc& pc() { return pc_; }
  /// Names of the guest's kernel, if the user gave them. Machine thread, or outside of run().
  const symbols::KernelSymbols& symbols() const { return symbols_; }
  mmu::Ram& ram() { return *ram_; }

  /// For windows and the like. Machine thread, outside of run(); views themselves as machine/screen/screen_feed.h says.
  ScreenFeed& screen() { return screen_; }

  /// Who looks between turns, from the next one on until it is removed, also by itself while it looks.
  void add_observer(TurnObserver& observer) { turn_observers_.add(observer); }
  void remove_observer(TurnObserver& observer) { turn_observers_.remove(observer); }

  /// Called with each hash that --hash-every asks for, as it is taken.
  void on_hash(std::function<void(const HashPoint&)> listener) { hash_listener_ = std::move(listener); }

  /// Called when the guest has brought something about, in the present only.
  void on_guest_event(std::function<void(const GuestEvent&)> listener) {
    event_listener_ = std::move(listener);
  }
  /// It has switched itself off, and stands still.
  bool is_off() const { return off_.has_value(); }

  /// Called once, when the guest has printed nothing on any console in its first kSilenceNs.
  void on_silence(std::function<void()> listener) { silence_listener_ = std::move(listener); }
  static constexpr u64 kSilenceNs = 5'000'000'000;

  /// Registers and devices, for a person.
  std::string dump() { return pc_.dump(); }
  /// What the run cost, as lines of text.
  std::string stats(const RunResult& result);

 private:
  struct PendingRequest {
    MachineRequest request = MachineRequest::None;
    int code = 0;
  };
  struct Ending {
    ExitReason reason;
    int exit_code;
    std::string message;
  };
  using HostClock = std::chrono::steady_clock;

  Machine(const MachineConfig& config, DiskSet disks, ShareSet shares, std::unique_ptr<mmu::Ram> ram,
          PcBackends backends, const Log& log);

  // MachineControl
  void request(MachineRequest request, int code) override;

  /// Between links of the chain: a digest costs what was written since the last one.
  static constexpr u64 kHashEveryRetired = u64{1} << 29;
  /// Instructions between looks at the host: some milliseconds.
  static constexpr u64 kSliceInstructions = 400'000;
  /// The longest uninterrupted sleep on the host: signals only set a flag.
  static constexpr std::chrono::milliseconds kMaxSleep{50};

  /// One turn: input, events, then execution or idling. An ending when the run is over.
  std::optional<Ending> turn(const RunLimits& limits);
  std::optional<Ending> check_request(const RunLimits& limits);
  /// What the kernel does, where its names are known: a line for each processor.
  std::string places() const;
  /// A panic is certain: ends the run, or not, as the user wants it.
  std::optional<Ending> panicked(const RunLimits& limits, std::string message);
  /// The instant that limits.stop_at_step names, or one behind it.
  bool at_stop_step(const RunLimits& limits) const {
    return limits.stop_at_step && position() >= Position{*limits.stop_at_retired, 0, *limits.stop_at_step};
  }
  Ending stopped_as_asked() const;
  /// How many instructions may retire before something other than the guest wants a say.
  u64 slice(const RunLimits& limits);
  void take_hash_if_due(const RunLimits& limits);
  void tell_of_silence();
  void follow_cards();
  void tell(GuestEvent::Kind kind, std::string_view action = {}, const std::string& device = {});

  // --- machine_host.cpp ---
  std::optional<Ending> check_host(const RunLimits& limits);
  bool wall_time_is_up(const RunLimits& limits) const;
  /// Does the host want the guest to stand still?
  bool disturbed(const RunLimits& limits) const;
  /// Sleeps until a message comes, for at most `longest` and kMaxSleep. The next turn looks at the host.
  void wait_on_host(std::chrono::nanoseconds longest);

  // --- machine_restart.cpp ---
  /// Starts the machine again, or ends the run as `otherwise` where nothing can, or where it leads to nothing.
  std::optional<Ending> restart(const RunLimits& limits, Ending otherwise);
  std::optional<Ending> check_firmware(const RunLimits& limits);
  /// Nobody is there, or may come, who could help a guest that waits.
  bool unattended(const RunLimits& limits) const { return !limits.attended; }

  // --- machine_idle.cpp ---
  std::optional<Ending> idle(const RunLimits& limits);
  /// Begins a new stretch without signs of life, if there was one.
  void note_signs_of_life();
  /// Grows whenever the guest prints, uses a drive or gets something from outside.
  u64 signs_of_life() const {
    return panic_.bytes_printed() + disks_.requests() + share_answers_ + given_to_guest();
  }
  /// Counts what somebody outside gave the guest: not what a network answers by itself, nor a folder.
  u64 given_to_guest() const { return outside_.events() - network_.own_frames() - share_answers_; }
  Ending hang(std::string_view why);
  /// Waits on the host until `deadline_ns`, input or a request; the clock then shows how long it was.
  void wait_paced(u64 deadline_ns, const RunLimits& limits);
  /// In the middle of such a wait: until resumed or disturbed. Returns how long it was.
  std::chrono::nanoseconds stay_stopped(const RunLimits& limits);

  // --- machine_history.cpp ---
  friend class Excursion;
  friend class MachineCopy;
  struct Present {
    Position at;
    std::optional<Ending> ending;  // that waits there
    std::vector<u8> own;           // serialize_checkpoint()
    DiskSet::Figures figures;
    u64 boot_attempts = 0;
  };
  /// Between turns: the history is kept, and travels through it go on. False: the machine is elsewhere, and a turn begins.
  bool keep_history();
  bool carry_out(const Timeline::Move& move);
  /// The one of now, which gets `number` if it has none.
  const Checkpoint& take_checkpoint(u64 number = 0);
  void begin_history();
  /// Drives can have what they had.
  Result<Done> check_content_goes_back() const;
  Result<Done> leave_present();
  void restore(const Checkpoint& checkpoint);
  /// The run is where it was when it left the present.
  void arrive();
  bool is_at_present() const {
    return present_ && position() >= present_->at && !timeline_.goes_back(position());
  }
  Result<Done> begin_journey();
  std::vector<u64> retired_by() const;
  Position position_at(u64 retired, u64 virtual_ns) const {
    return {retired, virtual_ns, step_.retired == retired ? step_.count : 0};
  }
  /// What is due now: false when it stopped in between.
  bool run_due(const RunLimits& limits);
  /// Somebody who may go back is there, and this is not how a run should end.
  bool holds(const Ending& ending) const;
  cpu::VcpuExit run_processors(u64 budget);
  /// Processors are about to execute.
  bool about_to_execute() const;
  /// What the machine keeps of the guest.
  void serialize_checkpoint(Archive& archive);

  // --- machine_kept.cpp ---
  Result<Done> check_can_be_kept() const;
  /// Media and answers of shares that came in before the checkpoint.
  Result<RecordPlace> repeat_before(const Recording& recording, const KeptPlace& place);
  void load_checkpoint(StateReader& reader, RamStore& ram);
  void note_hit(const std::optional<Position>& event);
  /// The run is no longer what was recorded.
  void changed_by_debugger();
  void live_on();
  /// Content that files of their own have is what is in drives now; servers of folders begin anew with theirs.
  void leave_future_outside();

  // --- machine_replay.cpp ---
  void note_step();
  /// Lets in what the recording has for now. An ending: the machine differs from it, or it is over.
  std::optional<Ending> follow_recording(const RunLimits& limits);
  void let_in_recorded(const RunLimits& limits);
  /// The end that the recording has for now.
  std::optional<Ending> recorded_ending();
  /// An end that comes from the host, which no state of the guest's shows.
  std::optional<Ending> recorded_ending_by_host();
  std::optional<Ending> compare_with_recording(const RunLimits& limits);
  Ending differing();
  /// What the end of a run that follows a recording comes to.
  Ending compared(Ending ending);
  /// Idle time, up to the next thing that happens.
  std::optional<Ending> idle_as_recorded();
  /// Instructions until the recording wants a say.
  u64 until_recorded(u64 limit) const;
  void record_hash_if_due();

  // --- machine_files.cpp ---
  std::vector<RecordedFileId> files_of_run() const;
  std::vector<RecordedReads> image_reads() const;
  /// Errors: a file, an image, or something else of this machine is not that of the run.
  Result<Done> compare_files(const std::vector<RecordedFileId>& recorded) const;
  Result<Done> compare_images(const std::vector<std::string>& recorded);
  Result<Done> check_is_machine_of(const RecordedRun& run);

  // --- machine_input.cpp ---
  void add_sinks();
  void disk_failed(const DiskError& error);
  /// What files held that the run writes is part of its recording.
  void keep_first_writes(RunFiles& files);

  // --- machine_state.cpp ---
  Result<Done> check_can_be_saved() const;
  /// What a machine must have in common with this one to load its state, line by line.
  std::vector<std::string> shape();
  Result<Done> check_shape(std::string_view manifest);
  Result<Done> restore_media(const std::vector<HeldMedium>& media, const std::vector<std::string>& saved);
  void serialize(Archive& archive);
  void serialize_pending(Archive& archive);
  void serialize_own(Archive& archive);

  const MachineConfig config_;
  OutputGate gate_;
  const Log log_;
  GatedChar com1_out_, com2_out_, console_out_;
  std::vector<GatedChar> port_outs_;
  DiskSet disks_;
  ShareSet shares_;
  ShareLog share_log_;
  u64 share_log_offset_ = 0;  // the recorder's first_offset() that it belongs to
  u64 share_answers_ = 0;
  std::unique_ptr<mmu::Ram> ram_;
  PanicSuspicion panic_;
  Network network_;
  Pc pc_;
  symbols::KernelSymbols symbols_{config_.symbols, pc_.processors()};
  RamHash ram_hash_;

  // How much has happened since the last instruction.
  struct Step {
    u64 retired = 0;
    u64 count = 0;
  };
  Step step_;
  std::optional<RecordedFileId> loaded_state_;  // that the run begins with
  Recorder recorder_;
  std::unique_ptr<Replay> replay_;
  bool replay_goes_on_ = false;  // behind the end of a recording that was cut off
  Outside outside_{[this] { return position(); }, [this] { note_step(); }};
  Inbox& inbox_ = outside_.inbox();
  InputStatus input_status_;
  InputSource script_hands_{inbox_, input_status_};
  HostCalls host_calls_{inbox_};
  ScreenFeed screen_{pc_.vga(), *ram_, pc_.video_ram_offset(), host_calls_};
  MediaChanges media_changes_{disks_, pc_, inbox_};
  HotPlug hot_plug_{pc_, media_changes_, inbox_, [this] { return replay_ == nullptr; }};
  Debugger debugger_{pc_};
  Checkpoints checkpoints_{*ram_, disks_, config_.history.bytes};
  Timeline timeline_{checkpoints_};
  bool keeps_history_ = config_.history.on;
  bool keeps_beginning_ = false;       // it has yet to be taken
  std::optional<Present> present_;     // while it goes over its past
  std::optional<Ending> held_ending_;  // the run ends when it goes on
  bool ending_was_held_ = false;       // and it did
  bool away_ = false;                  // an Excursion goes on: whoever wants something waits
  std::function<bool()> question_ends_;
  unsigned question_jobs_ = 1;
  std::function<void()> each_instruction_;  // of an Excursion: between any two
  u64 next_checkpoint_retired_ = 0;
  u64 next_checkpoint_number_ = 1;
  bool stopped_ = false;
  std::optional<Position> idled_at_;    // last, in a replay
  std::optional<u64> stop_at_retired_;  // of step()
  TurnObservers turn_observers_;
  std::optional<Ending> reset_ending_;  // the reset button was pressed, and nothing starts the machine again

  PendingRequest pending_;
  bool events_done_ = false;  // those due now, by a turn that then ended the run, or stopped
  bool new_seed_ = false;     // a state is being loaded of a machine with another
  std::string unusable_;      // why it cannot run; empty: it can
  std::string details_;       // of the ending
  std::atomic<int> end_reason_{-1};
  std::atomic<int> end_code_{0};

  u64 next_hash_retired_ = 0;
  u64 next_recorded_hash_ = 0;  // the next link of the chain
  std::vector<HashPoint> hashes_;
  std::function<void(const HashPoint&)> hash_listener_;
  std::function<void()> silence_listener_;
  std::function<void(const GuestEvent&)> event_listener_;
  std::optional<Ending> off_;  // with RunLimits::stays_off

  // Since when, and after which instruction, every processor has been halted.
  u64 idle_retired_ = ~u64{0};
  u64 idle_from_ns_ = 0;
  // The stretch without a sign of life: since when, from which instruction, and the signs before it.
  u64 quiet_from_ns_ = 0;
  u64 quiet_from_retired_ = 0;
  u64 signs_before_quiet_ = 0;
  // Restarts since a disk was written or something came from outside.
  u32 restarts_ = 0;
  u64 changes_before_restarts_ = 0;
  // Boots by SeaBIOS: those that were looked at, and how many of them there were when the guest was last reset, changed or
  // got anything.
  u64 boot_attempts_ = 0;
  u64 attempts_before_changes_ = 0;
  u64 changes_before_attempts_ = 0;

  // Host time; no part of any guest-visible decision.
  HostClock::time_point started_;
  u64 host_checked_retired_ = 0;
  unsigned turns_since_host_check_ = 0;
  std::chrono::nanoseconds idle_overslept_{0};
};

}  // namespace reprise::machine
