// Names of sinks that somebody outside of the board posts to. Drives have their own: "cdrom0", "floppy1".
#pragma once

#include <string_view>

namespace reprise::machine {

inline constexpr std::string_view kCom1Sink = "com1";
inline constexpr std::string_view kCom2Sink = "com2";
// A button each: a break condition on that line.
inline constexpr std::string_view kCom1BreakSink = "com1-break";
inline constexpr std::string_view kCom2BreakSink = "com2-break";
inline constexpr std::string_view kConsoleSink = "console";  // the virtio console
inline constexpr std::string_view kKeyboardSink = "keyboard";
inline constexpr std::string_view kPowerButtonSink = "power-button";
inline constexpr std::string_view kNmiButtonSink = "nmi-button";
inline constexpr std::string_view kResetButtonSink = "reset-button";

}  // namespace reprise::machine
