// Names of sinks that somebody outside of the board posts to. Drives have their own: "cdrom0", "floppy1".
#pragma once

#include <string_view>

namespace reprise::machine {

inline constexpr std::string_view kCom1Sink = "com1";
inline constexpr std::string_view kCom2Sink = "com2";
inline constexpr std::string_view kConsoleSink = "console";  // the virtio console
inline constexpr std::string_view kKeyboardSink = "keyboard";
inline constexpr std::string_view kPowerButtonSink = "power-button";
inline constexpr std::string_view kResetButtonSink = "reset-button";

}  // namespace reprise::machine
