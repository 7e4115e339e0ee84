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
// Keys under fingers: what finds no room is lost, as on a real keyboard.
inline constexpr std::string_view kKeyboardSink = "keyboard";
// Keys for the typist, who presses them one by one, as fast as the guest takes them.
inline constexpr std::string_view kTypingSink = "typing";
inline constexpr std::string_view kPointerSink = "pointer";
inline constexpr std::string_view kNetworkSink = "network";  // all cards
// A button: the other end of the cards' cables has gone.
inline constexpr std::string_view kNetworkUnpluggedSink = "network-unplugged";
// Buttons, too: it has been found again.
inline constexpr std::string_view kNetworkPluggedSink = "network-plugged";
inline constexpr std::string_view kPowerButtonSink = "power-button";
inline constexpr std::string_view kNmiButtonSink = "nmi-button";
// Cards that are put into slots or to be taken out, in words: machine/hot_plug.cpp.
inline constexpr std::string_view kSlotsSink = "slots";
// How much memory the guest is asked to give back, in words: "pages N", of 4096 bytes.
inline constexpr std::string_view kBalloonSink = "balloon";
inline constexpr std::string_view kBalloonPages = "pages ";
inline constexpr std::string_view kResetButtonSink = "reset-button";

}  // namespace reprise::machine
