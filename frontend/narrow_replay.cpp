#include "frontend/narrow_replay.h"

#include <fmt/format.h>

#include <variant>

#include "frontend/command_line.h"
#include "frontend/run_beginning.h"
#include "machine/board/engine_factory.h"
#include "machine/narrow/narrow.h"

namespace reprise::frontend {
namespace {

using machine::EngineKind;

struct NoOutput final : devices::CharBackend {
  void write(std::span<const u8>) override {}
};

/// A replay of its own: what it opens and would write is nobody else's.
class Side final : public machine::NarrowSide {
 public:
  static Result<std::unique_ptr<machine::NarrowSide>> make(const std::vector<std::string>& command,
                                                           EngineKind engine,
                                                           const machine::AccessTraces& traces) {
    auto parsed = parse_options(command);
    if (const EarlyExit* exit = std::get_if<EarlyExit>(&parsed)) return Error{exit->text};
    auto side = std::make_unique<Side>(std::get<RunOptions>(std::move(parsed)));
    RunOptions& options = side->options_;
    options.config.engine = engine;
    options.config.history.on = true;
    if (!options.load_path.empty())
      options.config.media = media_of_state(options.load_path, *options.config.files);
    side->machine_ = TRY(machine::Machine::create(options.config,
                                                  {.com1 = side->none_,
                                                   .com2 = side->none_,
                                                   .console = options.console ? &side->none_ : nullptr,
                                                   .traces = traces},
                                                  side->log_));
    if (!options.load_path.empty())
      TRY(load_state(*side->machine_, options.load_path, *options.config.files));
    TRY(follow_recording(*side->machine_, options.replay_path));
    return std::unique_ptr<machine::NarrowSide>(std::move(side));
  }

  explicit Side(RunOptions options) : options_(std::move(options)) {}
  machine::Machine& machine() override { return *machine_; }

 private:
  RunOptions options_;
  NoOutput none_;
  Log log_;
  std::unique_ptr<machine::Machine> machine_;
};

}  // namespace

std::string narrow_replay(const RunOptions& options, const machine::ReplaySpan& span) {
  const std::optional<EngineKind> jit = machine::engine_of_name("jit");
  if (!jit) return "narrowed     not: this reprise has one engine, and two are needed\n";
  const bool interprets = options.config.engine == EngineKind::Interp;
  const Result<std::string> text = machine::narrow(
      {.make =
           [&](EngineKind engine, const machine::AccessTraces& traces) {
             return Side::make(options.command, engine, traces);
           },
       .engines = {interprets ? EngineKind::Interp : *jit, interprets ? *jit : EngineKind::Interp},
       .agreed = span.agreed,
       .differed = span.differed});
  return text ? text.value() : fmt::format("narrowed     not: {}\n", text.error().message);
}

}  // namespace reprise::frontend
