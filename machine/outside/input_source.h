// InputSource: hands at a keyboard and a pointer, as a window or a viewer of a remote display has them. It puts what they do
// into the inbox, and knows what they hold, so that nothing stays pressed when they let go of the window.
//
//     InputSource hands(machine.inbox(), machine.input_status());
//     hands.key(find_key("a")->key, true);
//     hands.button(pointer_buttons::kLeft, true);
//     if (status.absolute_pointer()) ... no grab is needed
//
// Keys are named, never characters: common/keys.h has for each its name, and its code in Linux's input subsystem and in
// scan code sets 1 to 3. A key that is held need be told once: keyboards repeat by themselves, in the guest's time, and
// further presses are dropped.
#pragma once

#include <bitset>
#include <string_view>

#include "machine/outside/inbox.h"
#include "machine/outside/input_status.h"

namespace reprise::machine {

/// Any thread, one at a time for each source. The inbox and the status outlive it.
class InputSource {
 public:
  InputSource(Inbox& inbox, const InputStatus& status) : inbox_(inbox), status_(status) {}
  /// Lets go of everything.
  ~InputSource() { release_all(); }
  InputSource(const InputSource&) = delete;
  InputSource& operator=(const InputSource&) = delete;

  void key(Key key, bool down);
  /// False: there is no key of that name.
  bool key(std::string_view name, bool down);

  /// Counts to the right and down.
  void move_by(i32 dx, i32 dy);
  /// To a place on a screen of `width` by `height` pixels. A guest that takes no absolute positions gets the way from the
  /// place before.
  void move_to(i32 x, i32 y, i32 width, i32 height);
  /// The same for who knows nothing of the screen: 0 to kPointerMax.
  void move_to_place(i32 x, i32 y);
  /// Notches away from the person (up; below zero: down).
  void wheel(i32 notches);
  /// `button`: one of pointer_buttons.
  void button(u8 button, bool down);
  /// All that are held from now on.
  void set_buttons(u8 buttons);

  /// Keys and buttons: the window has lost the focus, or the viewer has gone.
  void release_all();

 private:
  void post(PointerChange change);

  Inbox& inbox_;
  const InputStatus& status_;
  std::bitset<256> held_;
  u8 buttons_ = 0;
  bool has_place_ = false;
  i32 x_ = 0, y_ = 0;  // of move_to()
};

}  // namespace reprise::machine
