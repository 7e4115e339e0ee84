// GuestTask: what the first program of a test's guest is to do (verdict/guest/init.sh), as the file of shell variables that it
// reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace reprise::verdict {

/// Where the guest's root file system is. Memory: in the initramfs. Disk: on the first virtio disk. Share: a folder of the host's with the tag
/// kRootTag, which the guest leaves as it is.
enum class RootPlace : u8 { Memory, Disk, Share };

inline constexpr std::string_view kRootTag = "root";
inline constexpr std::string_view kWorkTag = "work";
/// Where the shared folder is mounted, in which the command runs.
inline constexpr std::string_view kWorkFolder = "/mnt";

struct Variable {
  std::string name;
  std::string value;
};

struct GuestTask {
  std::vector<std::string> command;  // one word: a line for the shell; several: a program and its arguments
  std::vector<Variable> environment;
  RootPlace root = RootPlace::Memory;
  bool waits = false;        // the command is not in the task: command_text() is sent when it is ready
  bool applets = false;      // there is nothing but busybox: its programs get their names
  bool own_shell = true;     // the root has a /bin/sh
  bool shares_work = false;  // a folder with the tag kWorkTag is where the command runs
  bool work_read_only = false;
  std::vector<std::string>
      modules;  // names of files in /.reprise/modules, in the order in which they are loaded
};

/// By which the guest's words are known among its output. It follows from the task.
std::string token_of(const GuestTask& task);

/// The content of /.reprise/task.
std::string task_text(const GuestTask& task);

/// What is sent to a guest that waits, by the port of its output.
std::string command_text(const GuestTask& task);

/// The content of /.reprise/init.
std::string_view init_text();

}  // namespace reprise::verdict
