// Log: lines of text about what the emulator and the guest do. Off by default, near-free when off.
#pragma once

#include <fmt/format.h>

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace reprise {

enum class LogLevel : unsigned char { Error, Warn, Info, Debug, Trace };

/// All that is written about, in the order of the alphabet: --log takes these names.
inline constexpr std::array<std::string_view, 5> kLogCategories = {"cpu", "disk", "guest", "msr", "watchdog"};

/// One of kLogCategories; another name does not compile.
class LogCategory {
 public:
  template <std::size_t N>
  consteval LogCategory(const char (&name)[N]) : name_(name, N - 1) {
    bool known = false;
    for (const std::string_view one : kLogCategories) known |= one == name_;
    if (!known) throw "add it to kLogCategories";
  }
  std::string_view name() const { return name_; }

 private:
  std::string_view name_;
};

/// Whether it is one of error, warn, info, debug, trace.
bool is_log_level(std::string_view text);

/// Where lines go and which of them. One per machine, handed to whoever logs; no global instance.
class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;

  /// Lines go to `sink`, one call each, without a newline.
  explicit Log(Sink sink) : sink_(std::move(sink)) {}
  Log() : sink_([](std::string_view) {}) {}
  /// The same rules, and lines go on to this one's sink while `open` says so.
  Log while_open(std::function<bool()> open) const {
    Log log = *this;
    log.sink_ = [sink = sink_, open = std::move(open)](std::string_view line) {
      if (open()) sink(line);
    };
    return log;
  }

  /// Reads "cpu:debug,disk,warn": category[:level] entries; a bare level sets the default; "all" is every category.
  /// Returns false, changing nothing, when an entry is malformed. Names of categories are not checked.
  bool configure(std::string_view spec);

  bool enabled(std::string_view category, LogLevel level) const;

  template <class... Args>
  void write(LogCategory category, LogLevel level, fmt::format_string<Args...> format, Args&&... args) const {
    if (enabled(category.name(), level))
      emit(category.name(), level, fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  struct Rule {
    std::string category;
    LogLevel level;
  };
  void emit(std::string_view category, LogLevel level, std::string_view text) const;

  Sink sink_;
  LogLevel default_level_ = LogLevel::Warn;
  std::vector<Rule> rules_;
};

}  // namespace reprise
