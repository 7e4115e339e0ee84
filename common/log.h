// Log and trace: lines of text about what the emulator and the guest do. Off by default, near-free when off.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace reprise {

enum class LogLevel : unsigned char { Error, Warn, Info, Debug, Trace };

/// Where lines go and which of them. One per machine, handed to whoever logs; no global instance.
class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;

  /// Lines go to `sink`, one call each, without a newline.
  explicit Log(Sink sink) : sink_(std::move(sink)) {}
  Log() : sink_([](std::string_view) {}) {}

  /// Reads "mmu:debug,pic,warn": category[:level] entries; a bare level sets the default; "all" is every category.
  /// Returns false, changing nothing, when an entry is malformed.
  bool configure(std::string_view spec);

  bool enabled(std::string_view category, LogLevel level) const;

  template <class... Args>
  void write(std::string_view category, LogLevel level, fmt::format_string<Args...> format,
             Args&&... args) const {
    if (enabled(category, level)) emit(category, level, fmt::format(format, std::forward<Args>(args)...));
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
