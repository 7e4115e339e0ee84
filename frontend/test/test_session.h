// TestSession: one run of a test. It hears what the guest prints, and says in the end what became of the test.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "devices/backend.h"
#include "frontend/output/open_output.h"
#include "frontend/output/standard_descriptors.h"
#include "frontend/report.h"
#include "frontend/test/progress.h"
#include "frontend/test/test_request.h"
#include "machine/run_result.h"
#include "verdict/guest_words.h"
#include "verdict/kernel_reports.h"
#include "verdict/log_line.h"
#include "verdict/ltp_parser.h"
#include "verdict/tap_parser.h"

namespace reprise::frontend {

class TestSession {
 public:
  /// Opens the files of the results, so that a wrong path is known before the run. `outputs` outlives it.
  static Result<std::unique_ptr<TestSession>> open(const TestRequest& request, StandardOutputs& outputs,
                                                   OutputOpener& opener);
  TestSession(const TestSession&) = delete;
  TestSession& operator=(const TestSession&) = delete;

  /// Where the guest's first and second serial port go. Machine thread.
  devices::CharBackend& first_port() { return first_port_; }
  devices::CharBackend& second_port() { return second_port_; }
  /// Before the run: says at which instant the guest is, as messages name it.
  void read_positions_by(std::function<std::string()> position) { position_ = std::move(position); }
  /// Before the run: says what it has cost so far.
  void count_costs_by(std::function<verdict::Costs()> costs) { costs_ = std::move(costs); }
  /// Called when the guest waits for its command: it is then to stand still soon, and save_when_still() to be called.
  void on_ready(std::function<void()> ready) { ready_ = std::move(ready); }
  /// Whether a state is to be saved, instead of running the command; and by whom.
  bool saves() const { return !request_.snapshot_to.empty(); }
  void save_when_still(const std::function<Result<Done>(const std::string& path)>& save);
  /// For the guest's second port, before the run; empty: nothing.
  const std::string& input() const { return request_.input; }
  /// What a reader that takes nothing is waited for no longer than.
  void give_up_when(const std::function<bool()>& wanted);

  /// The file of --symbols, whose lines of source stand behind places in the kernel's reports.
  void decode_by(const std::string& symbols) { symbols_ = symbols; }
  /// No console showed what the kernel logged: these are its lines, when the run is over.
  bool wants_log_of_memory() const { return log_bytes_ == 0; }
  void take_log_of_memory(const std::vector<std::string>& lines);
  /// Right before the run: takes what an earlier process has heard, if the run goes on.
  Result<Done> take_progress();
  /// Whether the run, once it was ended from outside, can go on in another process.
  bool can_go_on() const { return !request_.inputs.empty(); }
  /// The run was ended: `save` writes the machine's state. Error: it will begin anew.
  Result<Done> keep_progress(const std::function<Result<Done>(const std::string& path)>& save);
  /// The machine has run, and is there: before finish().
  void end_run();
  /// The run is over. Writes the results, says what they come to, and returns the exit code. `command` is the words behind "reprise".
  int finish(const machine::RunResult& result, const std::vector<std::string>& command);

 private:
  class Port final : public devices::CharBackend {
   public:
    explicit Port(std::function<void(std::string_view)> take) : take_(std::move(take)) {}
    void write(std::span<const u8> bytes) override {
      take_({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }

   private:
    const std::function<void(std::string_view)> take_;
  };
  struct File {
    std::string path;
    ReportFile file;
  };

  TestSession(const TestRequest& request, StandardOutputs& outputs);

  void take_log(std::string_view bytes);
  void take_output(std::string_view bytes);
  void hear(std::string_view text);
  std::string now() const { return position_ ? position_() : std::string(); }
  void decode(std::vector<verdict::KernelReport>& reports) const;
  void write_file(File& file, std::string_view what, const std::string& text);

  const TestRequest& request_;
  StandardOutputs& outputs_;
  std::function<std::string()> position_;
  std::unique_ptr<Output> log_file_;
  std::unique_ptr<Output> output_file_;
  File result_, json_, junit_, tap_;
  std::optional<CostComparison> comparison_;

  // The kernel's log.
  verdict::GuestWords log_words_;
  std::string log_line_at_;  // the instant at which its line began
  verdict::LineSplitter log_lines_;
  verdict::KernelReports reports_;
  verdict::TapParser log_results_;
  // The command's output.
  verdict::GuestWords output_words_;
  std::string output_line_at_;
  verdict::LineSplitter output_lines_;
  verdict::TapParser output_results_;
  verdict::LtpParser ltp_results_;

  /// The instant at which a line of `stream` begins.
  std::string line_at(Progress::Stream& stream);
  /// Notes it where there are more results `after` a line than `before`.
  void note_result(std::size_t before, std::size_t after, const std::string& at);
  void add_costs(std::vector<verdict::TestResult>& results,
                 const std::map<std::string_view, std::size_t>& places) const;

  std::function<verdict::Costs()> costs_;
  verdict::Costs begun_at_, ended_at_;
  std::optional<verdict::Costs> ran_costs_;  // when the run was over
  std::vector<Progress::Spent> spent_;       // when results came, in their order
  std::optional<Progress> earlier_;          // of the process before this one
  std::string earlier_log_, earlier_output_;
  bool taking_earlier_ = false;
  std::size_t earlier_lines_ = 0;  // taken, of the stream that is taken
  Progress::Stream log_stream_, output_stream_;

  bool begun_ = false;
  bool kept_ = false;  // the run can go on
  u64 log_bytes_ = 0;
  std::string symbols_;
  std::optional<int> exit_code_;
  std::optional<std::string> refusal_;
  std::function<void()> ready_;

  Port first_port_{[this](std::string_view bytes) { log_words_.write(bytes); }};
  Port second_port_{[this](std::string_view bytes) { output_words_.write(bytes); }};
};

}  // namespace reprise::frontend
