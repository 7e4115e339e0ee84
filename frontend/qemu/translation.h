// A command line of QEMU's as words of `reprise run`, and what such words do not say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/qemu/draft.h"
#include "frontend/qemu/hot_words.h"

namespace reprise::frontend::qemu {

struct Translation {
  std::string answer;              // not empty: the command asks for this text and nothing else
  std::vector<std::string> words;  // behind "reprise run"
  std::vector<std::string> notes;  // sentences about what was taken although nothing comes of it
  std::vector<MonitorWish> monitors;
  std::shared_ptr<HotWords> plug_words;                      // what devices that come later are told by
  std::shared_ptr<machine::monitor::EmulatorTables> tables;  // what clients of QMP ask about the program
  std::string loaded_state;                                  // file of -loadvm; empty: none
  std::string pid_path;
  PanicAction on_panic = PanicAction::None;
  bool paused = false;
  bool stays_off = false;      // the guest's power-off ends nothing
  bool in_background = false;  // -daemonize
  bool keys_of_pipes = false;  // Ctrl-A is obeyed in what is no terminal, too
};

/// `words` stand behind the program's name. Throws BadValue: a sentence without a full stop.
Translation translate(const std::vector<std::string>& words);

}  // namespace reprise::frontend::qemu
