// TestSession: one run of a test. It hears what the guest prints, and says in the end what became of the test.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "devices/backend.h"
#include "frontend/output/open_output.h"
#include "frontend/output/standard_descriptors.h"
#include "frontend/report.h"
#include "frontend/test/test_request.h"
#include "machine/run_result.h"
#include "verdict/guest_words.h"
#include "verdict/kernel_reports.h"
#include "verdict/log_line.h"
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
  /// Called when the guest waits for its command: it is then to stand still soon, and save_when_still() to be called.
  void on_ready(std::function<void()> ready) { ready_ = std::move(ready); }
  /// Whether a state is to be saved, instead of running the command; and by whom.
  bool saves() const { return !request_.snapshot_to.empty(); }
  void save_when_still(const std::function<Result<Done>(const std::string& path)>& save);
  /// For the guest's second port, before the run; empty: nothing.
  const std::string& input() const { return request_.input; }
  /// What a reader that takes nothing is waited for no longer than.
  void give_up_when(const std::function<bool()>& wanted);

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
  void write_file(File& file, std::string_view what, const std::string& text);

  const TestRequest& request_;
  StandardOutputs& outputs_;
  std::function<std::string()> position_;
  std::unique_ptr<Output> log_file_;
  std::unique_ptr<Output> output_file_;
  File result_, json_, junit_, tap_;

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

  bool begun_ = false;
  std::optional<int> exit_code_;
  std::optional<std::string> refusal_;
  std::function<void()> ready_;

  Port first_port_{[this](std::string_view bytes) { log_words_.write(bytes); }};
  Port second_port_{[this](std::string_view bytes) { output_words_.write(bytes); }};
};

}  // namespace reprise::frontend
