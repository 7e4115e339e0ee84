// device_noise: seeded random accesses to every device of the board, and to all of them at once.
//
// Each case is a process of its own: a crash, a report of a sanitizer or too much processor time of one case
// ends that case, and the line that repeats it is printed. A case runs twice: straight through, and with the
// machine saved and loaded at random moments. Both must read the same and end in the same state. With --made-up N it
// runs once, and N states with numbers that nobody saved are loaded on the way, as far as they are not refused.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "tests/noise/heap_meter.h"
#include "tests/noise/players.h"

namespace reprise::noise {
namespace {

/// More than a case takes on a slow host under sanitizers: one that takes longer hangs.
constexpr rlim_t kCaseSeconds = 300;
/// What the devices of two boards, and saving one, may take beyond what was there after construction.
constexpr std::size_t kHeapBytes = 16 << 20;
/// Beyond the first: what is saved of a processor, TLBs above all, some times over.
constexpr std::size_t kProcessorHeapBytes = 1 << 20;

struct Options {
  u64 seed = 1;
  std::optional<u64> only_case;
  u64 cases = 0;       // 0: one of each device and as many of the board
  double seconds = 0;  // of processor time; 0: as many cases as asked
  u64 steps = 4000;
  u64 made_up = 0;     // states to be loaded in each case
  std::string device;  // empty: each in turn
};

struct Outcome {
  u64 accesses = 0;
  u64 events = 0;
  u64 virtual_ns = 0;
  u64 heap_bytes = 0;
  u64 loaded = 0;  // made-up states
};

struct Case {
  u64 seed;
  u64 number;
  u64 steps;
  u64 made_up;
  const Player* player;  // nullptr: the whole board
  Firmware firmware;
};

std::string_view name_of(const Player* player) { return player != nullptr ? player->name : "board"; }

Firmware choose_firmware(u64 number) {
  std::error_code error;
  const bool ovmf = std::filesystem::exists("/usr/share/OVMF/OVMF_CODE_4M.fd", error);
  const bool seabios = std::filesystem::exists("/usr/share/seabios/bios-256k.bin", error);
  if (ovmf && (number / 2 % 2 == 0 || !seabios)) return Firmware::Ovmf;
  return seabios ? Firmware::SeaBios : Firmware::None;
}

unsigned choose_processors(u64 number) {
  constexpr unsigned kCounts[] = {1, 2, 5, 17};
  return kCounts[number % std::size(kCounts)];
}

/// One board under the noise of a case.
class Run {
 public:
  explicit Run(const Case& test)
      : board_(test.firmware, choose_processors(test.number)),
        random_(test.seed * 0x9e3779b97f4a7c15 + test.number),
        player_(test.player) {}

  /// The device it was played with.
  const Player& step() {
    const Player& player = player_ != nullptr ? *player_ : players()[random_.below(players().size())];
    if (board_.processors() > 1) board_.let_act(random_.below(board_.processors()));
    player.play(board_, random_);
    if (random_.below(100) == 0) board_.take_interrupt();
    if (random_.below(1000) == 0) board_.wait(random_.below(20'000'000));
    if (random_.below(4000) == 0) board_.reset();
    return player;
  }
  Board& board() { return board_; }

 private:
  Board board_;
  Random random_;
  const Player* player_;
};

std::vector<u8> saved(const devices::Device* device) {
  Archive archive;
  const_cast<devices::Device*>(device)->serialize(archive);
  return {archive.bytes().begin(), archive.bytes().end()};
}

/// The first device of two boards that is not in the same state; empty: there is none.
std::string first_difference(Board& a, Board& b) {
  const auto of_a = a.pc().devices();
  const auto of_b = b.pc().devices();
  for (std::size_t i = 0; i < of_a.size(); ++i)
    if (saved(of_a[i]) != saved(of_b[i])) return fmt::format("{}, {}", of_a[i]->name(), i);
  return {};
}

/// Empty: all is well.
std::string run_case(const Case& test, Outcome& outcome) {
  Run straight(test);
  Run reloaded(test);
  Random moments(test.number + 77);
  reset_heap_peak();
  const std::size_t heap_before = heap_bytes();
  for (u64 step = 0; step < test.steps; ++step) {
    if (moments.below(test.steps / 4) == 0) {
      const std::string other = first_difference(straight.board(), reloaded.board());
      if (!other.empty())
        return fmt::format("before step {} the state of a device is not what it was loaded for ({})", step,
                           other);
      reloaded.board().save_and_load();
    }
    const Player& player = straight.step();
    reloaded.step();
    for (const Run* run : {&straight, &reloaded})
      if (const std::string& problem = const_cast<Run*>(run)->board().problem(); !problem.empty())
        return fmt::format("step {}: {}", step, problem);
    if (straight.board().read_digest() == reloaded.board().read_digest()) continue;
    return fmt::format("step {}, on {}: a board that was saved and loaded reads otherwise ({})", step,
                       player.name, first_difference(straight.board(), reloaded.board()));
  }
  outcome.heap_bytes = heap_peak_bytes() - heap_before;
  if (outcome.heap_bytes > kHeapBytes + (straight.board().processors() - 1) * kProcessorHeapBytes)
    return fmt::format("devices hold {} KiB more than at first", outcome.heap_bytes >> 10);
  for (Run* run : {&straight, &reloaded}) {
    outcome.accesses += run->board().accesses();
    outcome.events += run->board().events();
    outcome.virtual_ns += run->board().pc().scheduler().now_ns();
    if (run->board().pc().dump().empty()) return "the dump of the board is empty";
  }
  if (straight.board().digest() != reloaded.board().digest())
    return fmt::format("a board that was saved and loaded ends in another state ({})",
                       first_difference(straight.board(), reloaded.board()));
  return straight.board().problem();
}

/// Whatever a state says, neither loading it nor what comes then may harm. Empty: all is well.
std::string run_made_up(const Case& test, Outcome& outcome) {
  Run run(test);
  Random moments(test.number + 78);
  for (u64 step = 0; step < test.steps; ++step) {
    if (moments.below(test.steps) < test.made_up && run.board().load_made_up(moments)) ++outcome.loaded;
    run.step();
  }
  outcome.accesses = run.board().accesses();
  outcome.events = run.board().events();
  outcome.virtual_ns = run.board().pc().scheduler().now_ns();
  return run.board().pc().dump().empty() ? "the dump of the board is empty" : "";
}

/// In a process of its own. Nothing when it failed; the reason has been printed.
std::optional<Outcome> run_apart(const Case& test, double& cpu_s) {
  int ends[2];
  if (::pipe(ends) != 0) return std::nullopt;
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    const rlimit limit{kCaseSeconds, kCaseSeconds};
    ::setrlimit(RLIMIT_CPU, &limit);
    Outcome outcome;
    const std::string problem = test.made_up != 0 ? run_made_up(test, outcome) : run_case(test, outcome);
    if (!problem.empty()) fmt::print(stderr, "device_noise: {}\n", problem);
    const bool told = ::write(ends[1], &outcome, sizeof outcome) == sizeof outcome;
    std::exit(problem.empty() && told ? 0 : 1);
  }
  ::close(ends[1]);
  Outcome outcome;
  const bool complete = ::read(ends[0], &outcome, sizeof outcome) == sizeof outcome;
  ::close(ends[0]);
  int status = 0;
  rusage usage{};
  if (child < 0 || ::wait4(child, &status, 0, &usage) != child) return std::nullopt;
  cpu_s = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    fmt::print(
        stderr, "device_noise: {}\n",
        signal == SIGXCPU || signal == SIGKILL ? "the case does not end" : fmt::format("signal {}", signal));
  }
  if (!complete || status != 0) return std::nullopt;
  return outcome;
}

struct Sum {
  u64 cases = 0;
  Outcome outcome;
  double cpu_s = 0;
};

void print(std::string_view name, const Sum& sum) {
  fmt::print("{:16} {:6} cases {:12} accesses {:12} events {:10.3f} s virtual {:6} KiB {:8.1f} s\n", name,
             sum.cases, sum.outcome.accesses, sum.outcome.events,
             static_cast<double>(sum.outcome.virtual_ns) / 1e9, sum.outcome.heap_bytes >> 10, sum.cpu_s);
}

int run(const Options& options) {
  const u64 kinds = players().size() + 1;
  const u64 cases = options.cases != 0 ? options.cases : 2 * (kinds - 1);
  fmt::print("device_noise --seed {}\n", options.seed);
  std::map<std::string_view, Sum> sums;
  Sum total;
  for (u64 number = options.only_case.value_or(0);
       options.seconds > 0 ? total.cpu_s < options.seconds : number < cases || options.only_case; ++number) {
    // Every other case is of the whole board.
    const Player* player = number % 2 != 0 ? nullptr : &players()[number / 2 % players().size()];
    if (!options.device.empty()) {
      player = nullptr;
      for (const Player& other : players())
        if (options.device == other.name) player = &other;
    }
    const Case test{options.seed, number, options.steps, options.made_up, player, choose_firmware(number)};
    double cpu_s = 0;
    const std::optional<Outcome> outcome = run_apart(test, cpu_s);
    if (!outcome) {
      fmt::print(
          stderr,
          "failed; to repeat it: device_noise --seed {} --case {} --device {} --steps {} --made-up {}\n",
          options.seed, number, name_of(player), options.steps, options.made_up);
      return 1;
    }
    for (Sum* sum : {&sums[name_of(player)], &total}) {
      ++sum->cases;
      sum->outcome.accesses += outcome->accesses;
      sum->outcome.events += outcome->events;
      sum->outcome.virtual_ns += outcome->virtual_ns;
      sum->outcome.loaded += outcome->loaded;
      sum->outcome.heap_bytes = std::max(sum->outcome.heap_bytes, outcome->heap_bytes);
      sum->cpu_s += cpu_s;
    }
    if (options.only_case) break;
  }
  for (const auto& [name, sum] : sums) print(name, sum);
  print("all", total);
  if (options.made_up != 0) fmt::print("{} made-up states were loaded\n", total.outcome.loaded);
  return 0;
}

bool number_of(const std::string& text, auto& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    bool good = false;
    if (name == "--seed") good = number_of(value, options.seed);
    if (name == "--cases") good = number_of(value, options.cases);
    if (name == "--case") good = number_of(value, options.only_case.emplace());
    if (name == "--made-up") good = number_of(value, options.made_up);
    if (name == "--seconds") good = number_of(value, options.seconds);
    if (name == "--steps") good = number_of(value, options.steps) && options.steps >= 4;
    if (name == "--device") {
      options.device = value;
      good = value == "board" ||
             std::ranges::any_of(players(), [&](const Player& player) { return value == player.name; });
    }
    if (!good) return false;
  }
  return argc % 2 == 1;
}

}  // namespace
}  // namespace reprise::noise

int main(int argc, char** argv) {
  reprise::noise::Options options;
  if (reprise::noise::parse(argc, argv, options)) return reprise::noise::run(options);
  fmt::print(stderr,
             "usage: device_noise [--seed N] [--cases N | --seconds S | --case K] [--device NAME] [--steps "
             "N] [--made-up N]\nDevices: board");
  for (const auto& player : reprise::noise::players()) fmt::print(stderr, " {}", player.name);
  fmt::print(stderr, "\n");
  return 2;
}
